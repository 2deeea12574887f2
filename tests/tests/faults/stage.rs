//! A whole pipeline to do damage to: what emits, what carries, and what must have come of it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lifestream_tests::load::{self, LOW_LIMIT, Load, LoadOptions};
use lifestream_tests::oracle::{self, Oracle, Verdict};
use lifestream_tests::{Kafka, KafkaOptions, Pipeline, Postgres, Program, eventually, eventually_async};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

use crate::site;

/// Long enough for a busy machine; a pipeline that is stuck is stuck for good.
pub const SOON: Duration = Duration::from_secs(120);

/// What is waited for, and how it stands when that does not come.
struct Standing<'s>(&'s Stage<'s>, &'static str);

impl std::fmt::Display for Standing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(stage, what) = self;
        let shown = |sql: &str| stage.psql(sql);
        write!(
            f,
            "{what}\n{}\nprogress: {}\noffsets: {}\n{} events have had no effect",
            shown("SELECT * FROM lifestream.pipeline_status"),
            shown("SELECT * FROM lifestream.bridge_progress"),
            shown("SELECT * FROM lifestream.kafka_offsets"),
            stage.behind()
        )
    }
}

/// A pipeline whose state counts every effect, and a web site for its links.
pub struct Stage<'a> {
    pub pipeline: Pipeline<'a>,
    site: u16,
    links: AtomicUsize,
}

impl<'a> Stage<'a> {
    /// Topics, projections and the site; nothing runs yet.
    pub fn new(test: &str, postgres: &'a Postgres, kafka: &'a Kafka) -> Self {
        let site = site::start();
        let pipeline = Pipeline::new(test, postgres, kafka)
            .with("KAFKA_REPLICATION_FACTOR", &kafka.size().to_string())
            // A member that was killed is done without soon.
            .with("KAFKA_PROPERTY_session_timeout_ms", "3000")
            .with("KAFKA_PROPERTY_heartbeat_interval_ms", "600")
            .with("LIFESTREAM_FETCH_ALLOW", &format!("*.faults.localhost:{site}"))
            .with("LIFESTREAM_FETCH_INTERVAL", "20ms")
            .with("LIFESTREAM_RETRY_BASE", "300ms")
            .with("LIFESTREAM_RETRY_FACTOR", "2");
        pipeline.run(&["init"]);
        pipeline.database.psql(load::PROJECTIONS);
        Self { pipeline, site, links: AtomicUsize::new(0) }
    }

    pub fn load(&self, options: LoadOptions) -> Load {
        Load::start_with(&self.pipeline.database.url(), options)
    }

    pub fn psql(&self, sql: &str) -> String {
        self.pipeline.database.psql(sql)
    }

    pub fn count(&self, what: &str) -> u64 {
        self.psql(&format!("SELECT count(*) FROM {what}")).parse().unwrap()
    }

    /// Starts a part, with these settings beside the pipeline's own.
    pub fn spawn(&self, part: &[&str], more: &[(&str, &str)]) -> Program {
        let mut environment = self.pipeline.environment();
        environment.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Program::spawn(part, &environment)
    }

    /// Saves so many links of one host of the site.
    pub fn save_links(&self, count: usize) {
        let from = self.links.fetch_add(count, Ordering::Relaxed);
        let (to, port) = (from + count - 1, self.site);
        self.psql(&format!(
            "SELECT count(lifestream.emit_event('link.added', 'link', 'link-' || i, \
                    jsonb_build_object('url', format('http://h{from}.faults.localhost:{port}/%s', i)))) FROM generate_series({from}, {to}) i"
        ));
    }

    /// Lowers the limit of `events.raw`, so that `load.large` is too large for it; or has it take a megabyte again.
    pub async fn limit_topic(&self, low: bool) {
        let limit = if low { LOW_LIMIT } else { 1_048_588 }.to_string();
        let brokers = self.pipeline.kafka.brokers();
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
        let topic = format!("{}events.raw", self.pipeline.prefix);
        let config = AlterConfig::new(ResourceSpecifier::Topic(&topic)).set("max.message.bytes", &limit);
        eventually_async(SOON, "Kafka takes the limit", || async {
            let altered = admin.alter_configs([&config], &AdminOptions::new()).await;
            altered.is_ok_and(|topics| topics.iter().all(Result::is_ok))
        })
        .await;
    }

    /// Has the projection that refuses take what it gets, or refuse it again.
    pub fn mend(&self, mended: bool) {
        self.psql(if mended { "INSERT INTO public.mended VALUES (true)" } else { "DELETE FROM public.mended" });
    }

    /// Decides to try again what is parked and was not tried more often than that.
    pub fn retry_parked(&self, attempts: i32) {
        self.psql(&format!(
            "SELECT lifestream.retry_parked(id) FROM lifestream.parked WHERE behind IS NULL AND decision IS NULL AND attempts <= {attempts}"
        ));
    }

    /// Events of the load that have had no effect yet.
    pub fn behind(&self) -> u64 {
        self.count(
            "lifestream.events e WHERE event_type LIKE 'load.%' AND NOT EXISTS (SELECT FROM public.applied a WHERE a.event_id = e.id)",
        )
    }

    /// Waits until all is published and applied, with everything mended and nothing parked any more, and every link has its answer.
    pub async fn settle(&self) {
        self.limit_topic(false).await;
        self.mend(true);
        eventually(SOON * 2, &Standing(self, "all is published and applied"), || {
            self.retry_parked(i32::MAX);
            let open = self.count("lifestream.events WHERE NOT published_to_kafka") + self.count("lifestream.parked");
            open == 0 && self.behind() == 0
        });
        eventually(SOON, "every link has been fetched", || {
            self.count(
                "lifestream.events l WHERE event_type = 'link.added' AND NOT EXISTS \
                 (SELECT FROM lifestream.events f WHERE f.subject_id = l.subject_id AND f.event_type = 'content.fetched')",
            ) == 0
        });
        eventually(SOON, "what was fetched is published", || {
            self.count("lifestream.events WHERE NOT published_to_kafka") == 0
        });
    }

    /// What the oracle says of the topic and the state.
    pub async fn verdict(&self, oracle: &Oracle) -> Verdict {
        let client = self.pipeline.database.connect().await;
        let effects = oracle::effects(&client).await;
        let records = tokio::task::block_in_place(|| self.pipeline.events());
        let mut verdict = oracle.judge(&records, Some(&effects));
        let turned = "SELECT subject_id FROM (SELECT subject_id, seq < lag(seq) OVER (PARTITION BY subject_id ORDER BY call) AS turned FROM public.applied) a WHERE turned";
        verdict.reordered.extend(self.psql(turned).lines().map(str::to_owned));
        verdict
    }

    /// Waits until all is on the topic, once and in order; for stages without a materializer.
    pub async fn assert_published_once(&self, load: Load) {
        let oracle = load.stop().await;
        eventually(SOON, "all is published", || self.count("lifestream.events WHERE NOT published_to_kafka") == 0);
        let records = tokio::task::block_in_place(|| self.pipeline.events());
        assert_eq!(oracle.judge(&records, None), Verdict::default(), "{} events were committed", oracle.committed());
        assert!(oracle.committed() > 0);
    }

    /// Settles, and holds everything against what the writers know: nothing lost, nothing doubled, nothing sent twice, all in order.
    pub async fn assert_nothing_wrong(&self, load: Load) {
        let oracle = load.stop().await;
        self.settle().await;
        assert_eq!(self.verdict(&oracle).await, Verdict::default(), "{} events were committed", oracle.committed());
        assert!(oracle.committed() > 0);
        let doubled = self.psql(
            "SELECT subject_id, count(*) FROM lifestream.events WHERE event_type = 'content.fetched' GROUP BY 1 HAVING count(*) > 1",
        );
        assert_eq!(doubled, "", "fetched twice");
    }
}

/// A part's peak of memory so far, in bytes.
pub fn peak_memory(program: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// A broker on which a group does without a dead member soon.
pub fn kafka() -> &'static Kafka {
    static KAFKA: OnceLock<Kafka> = OnceLock::new();
    KAFKA.get_or_init(|| Kafka::start_with(&KafkaOptions { properties: short_sessions(), ..KafkaOptions::default() }))
}

pub fn short_sessions() -> Vec<String> {
    vec!["group.min.session.timeout.ms=1000".to_owned()]
}
