//! A throw-away Apache Kafka: one broker in KRaft mode, on ports of its own.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::checkout::{run_script, servers, unique};
use crate::guard::Guard;

/// How a throw-away Kafka is set up.
#[derive(Clone, Debug, Default)]
pub struct KafkaOptions {
    /// Adds a listener that speaks TLS: [`Kafka::tls_brokers`], [`Kafka::authority`].
    pub tls: bool,
    /// Further properties of the broker, as `name=value`.
    pub properties: Vec<String>,
}

/// A running broker; dropped, it is stopped and removed.
pub struct Kafka {
    libs: PathBuf,
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
        let folder = servers().join(unique("kafka"));
        let guard = Guard::over("kafka", &folder);
        let this = Self { libs, folder, _guard: guard };
        let mut properties = options.properties.clone();
        if options.tls {
            properties.push("tls=on".to_owned());
        }
        this.start_script(&properties);
        this
    }

    /// The one of this test program, started when first asked for.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start_script(&self, properties: &[String]) {
        let mut arguments = vec!["start", self.libs.to_str().unwrap(), self.folder.to_str().unwrap()];
        arguments.extend(properties.iter().map(String::as_str));
        run_script("kafka.sh", &arguments);
    }

    /// Stops it in order; its port stays noted for [`Kafka::start_again`].
    pub fn stop(&self) {
        run_script("kafka.sh", &["stop", self.folder.to_str().unwrap(), "term"]);
    }

    /// Ends it by SIGKILL.
    pub fn kill9(&self) {
        run_script("kafka.sh", &["stop", self.folder.to_str().unwrap(), "kill"]);
    }

    /// Starts it after a stop, on the same port and with the same data.
    pub fn start_again(&self) {
        self.start_script(&[]);
    }

    /// Its address, for `KAFKA_BROKERS`.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.noted("port"))
    }

    /// The address of its listener that speaks TLS.
    pub fn tls_brokers(&self) -> String {
        format!("localhost:{}", self.noted("port.tls"))
    }

    /// The certificate (PEM file) of the authority behind the listener that speaks TLS.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("tls/ca.pem")
    }

    /// The broker's process id, for signals.
    pub fn pid(&self) -> u32 {
        self.noted("pid").parse().expect("a pid")
    }

    /// What the broker has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// One of Kafka's own tools by its class, such as `org.apache.kafka.tools.TopicCommand`.
    pub fn tool(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        command.args(["-XX:TieredStopAtLevel=1", "-cp"]).arg(format!("{}/*", self.libs.display())).arg(class);
        command
    }

    fn noted(&self, name: &str) -> String {
        let file = self.folder.join(name);
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).trim().to_owned()
    }
}
