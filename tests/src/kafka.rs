//! A throw-away Apache Kafka in KRaft mode: one broker, or several that replicate, on ports of their own.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::checkout::{run_script, servers, unique};
use crate::guard::Guard;

/// How a throw-away Kafka is set up.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// How many brokers. Several keep a copy each, of which two must be in sync to acknowledge.
    pub brokers: usize,
    /// Adds a listener that speaks TLS: [`Kafka::tls_brokers`], [`Kafka::authority`]. For one broker.
    pub tls: bool,
    /// Further properties of the brokers, as `name=value`.
    pub properties: Vec<String>,
    /// Where the brokers' files lie, one folder each, instead of the usual place.
    pub folders: Vec<PathBuf>,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self { brokers: 1, tls: false, properties: Vec::new(), folders: Vec::new() }
    }
}

/// Running brokers; dropped, they are stopped and removed.
pub struct Kafka {
    libs: PathBuf,
    nodes: Vec<Node>,
}

struct Node {
    folder: PathBuf,
    _guard: Guard,
}

impl Kafka {
    /// Starts a broker. Takes about three seconds.
    pub fn start() -> Self {
        Self::start_with(&KafkaOptions::default())
    }

    /// Starts one set up as asked for.
    pub fn start_with(options: &KafkaOptions) -> Self {
        static LIBS: OnceLock<PathBuf> = OnceLock::new();
        let libs = LIBS.get_or_init(|| PathBuf::from(run_script("test-servers.sh", &["kafka"]))).clone();
        let nodes: Vec<Node> = (0..options.brokers)
            .map(|number| {
                let place = options.folders.get(number).cloned().unwrap_or_else(servers);
                let folder = place.join(unique("kafka"));
                let guard = Guard::over("kafka", &folder);
                Node { folder, _guard: guard }
            })
            .collect();
        let this = Self { libs, nodes };
        let mut properties = vec![options.properties.clone(); options.brokers];
        if options.tls {
            properties[0].push("tls=on".to_owned());
        }
        if options.brokers > 1 {
            this.join(&mut properties);
        }
        this.start_scripts(&properties);
        this
    }

    /// The one of this test program, started when first asked for.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Chooses what the nodes of a cluster must know of each other before they start.
    fn join(&self, properties: &mut [Vec<String>]) {
        // 22 characters of URL-safe base64 are the 16 octets of an id.
        let cluster = uuid::Uuid::new_v4().simple().to_string()[..22].to_owned();
        let mut voters = Vec::new();
        for (node, number) in self.nodes.iter().zip(1..) {
            std::fs::create_dir_all(&node.folder).expect("a folder");
            let note = |name: &str, value: String| std::fs::write(node.folder.join(name), value).expect("a file");
            let controller = free_port();
            note("port", free_port().to_string());
            note("port.controller", controller.to_string());
            note("port.tls", free_port().to_string());
            note("cluster.id", cluster.clone());
            voters.push(format!("{number}@127.0.0.1:{controller}"));
        }
        for (properties, number) in properties.iter_mut().zip(1..) {
            properties.splice(
                0..0,
                [
                    format!("node.id={number}"),
                    format!("controller.quorum.voters={}", voters.join(",")),
                    "default.replication.factor=3".to_owned(),
                    "min.insync.replicas=2".to_owned(),
                    "offsets.topic.replication.factor=3".to_owned(),
                    "transaction.state.log.replication.factor=3".to_owned(),
                    "transaction.state.log.min.isr=2".to_owned(),
                    "share.coordinator.state.topic.replication.factor=3".to_owned(),
                    "share.coordinator.state.topic.min.isr=2".to_owned(),
                ],
            );
        }
    }

    /// All at once: no node of a cluster answers before there are enough of them.
    fn start_scripts(&self, properties: &[Vec<String>]) {
        std::thread::scope(|scope| {
            for (number, properties) in properties.iter().enumerate() {
                scope.spawn(move || self.start_script(number, properties));
            }
        });
    }

    fn start_script(&self, number: usize, properties: &[String]) {
        let folder = &self.nodes[number].folder;
        let mut arguments = vec!["start", self.libs.to_str().unwrap(), folder.to_str().unwrap()];
        arguments.extend(properties.iter().map(String::as_str));
        run_script("kafka.sh", &arguments);
    }

    fn stop_scripts(&self, signal: &str) {
        std::thread::scope(|scope| {
            for number in 0..self.nodes.len() {
                scope.spawn(move || self.stop_script(number, signal));
            }
        });
    }

    fn stop_script(&self, number: usize, signal: &str) {
        run_script("kafka.sh", &["stop", self.nodes[number].folder.to_str().unwrap(), signal]);
    }

    /// How many brokers there are.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// Stops all of it in order; its ports stay noted for [`Kafka::start_again`].
    pub fn stop(&self) {
        self.stop_scripts("term");
    }

    /// Ends all of it by SIGKILL.
    pub fn kill9(&self) {
        self.stop_scripts("kill");
    }

    /// Starts what does not run, on the same ports and with the same data.
    pub fn start_again(&self) {
        self.start_scripts(&vec![Vec::new(); self.nodes.len()]);
    }

    /// Ends one broker by SIGKILL.
    pub fn kill9_broker(&self, number: usize) {
        self.stop_script(number, "kill");
    }

    /// Stops one broker in order.
    pub fn stop_broker(&self, number: usize) {
        self.stop_script(number, "term");
    }

    /// Starts one broker again.
    pub fn start_broker_again(&self, number: usize) {
        self.start_script(number, &[]);
    }

    /// Its addresses, for `KAFKA_BROKERS`.
    pub fn brokers(&self) -> String {
        let address = |number| format!("127.0.0.1:{}", self.noted(number, "port"));
        (0..self.nodes.len()).map(address).collect::<Vec<_>>().join(",")
    }

    /// The address of its listener that speaks TLS.
    pub fn tls_brokers(&self) -> String {
        format!("localhost:{}", self.noted(0, "port.tls"))
    }

    /// The certificate (PEM file) of the authority behind the listener that speaks TLS.
    pub fn authority(&self) -> PathBuf {
        self.nodes[0].folder.join("tls/ca.pem")
    }

    /// The first broker's process id, for signals.
    pub fn pid(&self) -> u32 {
        self.pid_of(0)
    }

    /// A broker's process id, for signals.
    pub fn pid_of(&self, number: usize) -> u32 {
        self.noted(number, "pid").parse().expect("a pid")
    }

    /// What the first broker has logged so far.
    pub fn log(&self) -> String {
        self.log_of(0)
    }

    /// What a broker has logged so far.
    pub fn log_of(&self, number: usize) -> String {
        std::fs::read_to_string(self.nodes[number].folder.join("log")).unwrap_or_default()
    }

    /// One of Kafka's own tools by its class, such as `org.apache.kafka.tools.TopicCommand`.
    pub fn tool(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        command.args(["-XX:TieredStopAtLevel=1", "-cp"]).arg(format!("{}/*", self.libs.display())).arg(class);
        command
    }

    fn noted(&self, number: usize, name: &str) -> String {
        let file = self.nodes[number].folder.join(name);
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).trim().to_owned()
    }
}

/// A port on loopback that nobody uses, below the range from which the kernel hands out ports itself; not given twice.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() * 97 % 12_000).unwrap_or(0);
    (0..12_000)
        .map(|_| 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port")
}
