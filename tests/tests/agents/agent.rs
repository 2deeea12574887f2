//! What an agent has to tell about itself so that the cases can be run with it, and where they are run.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use lifestream_envelope::ids;
use lifestream_envelope::work::Work;
use lifestream_tests::work::WorkTopic;
use lifestream_tests::{Kafka, KafkaOptions, Pipeline, Postgres, Program, eventually};
use serde_json::Value;

use crate::cases::NAMES;
use crate::site::Site;

/// Long enough for a busy machine.
pub const SOON: Duration = Duration::from_secs(120);
/// No agent may wait for longer than this between two polls.
pub const MAX_POLL: Duration = Duration::from_secs(3);

/// An agent, as the cases see it.
///
/// Its work is about links named in [`NAMES`], each with a page of the [`Site`], which notes every visit. Of a name that
/// begins with `slow` the site answers only while its gate is open; of one that begins with `poison` with an error.
pub trait AgentCase: Sync {
    /// Of the agent.
    fn name(&self) -> &'static str;

    /// Of its work.
    fn work_type(&self) -> &'static str;

    /// Its consumer group, without prefix.
    fn group(&self) -> &'static str;

    /// The event that says that its work is done.
    fn fact(&self) -> &'static str;

    /// What it needs, beside the pipeline's own settings.
    fn settings(&self, site: &Site, folder: &Path) -> Vec<(String, String)>;

    /// Makes the state that its work is about.
    fn set_up(&self, _bench: &Bench) {}

    /// The payload of its work about this name.
    fn payload(&self, site: &Site, name: &str) -> Value;

    /// Starts it; it dies at the failpoint of that name.
    fn spawn(&self, pipeline: &Pipeline<'_>, failpoint: Option<&str>) -> Program {
        let mut environment = pipeline.environment();
        environment.extend(failpoint.map(|name| ("LIFESTREAM_FAILPOINT".to_owned(), format!("runner.{name}"))));
        Program::spawn(&["agent", self.name()], &environment)
    }
}

/// An agent's own pipeline, site and folder.
pub struct Bench {
    pub agent: &'static dyn AgentCase,
    pub pipeline: Pipeline<'static>,
    pub site: Site,
    pub topic: WorkTopic,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub fn new(agent: &'static dyn AgentCase) -> Self {
        let (site, folder) = (Site::start(), tempfile::tempdir().unwrap());
        let mut pipeline = Pipeline::new(&format!("contract_{}", agent.name()), Postgres::shared(), kafka())
            .with("KAFKA_PROPERTY_max_poll_interval_ms", &MAX_POLL.as_millis().to_string())
            .with("KAFKA_PROPERTY_session_timeout_ms", "3000")
            // Several to a session: librdkafka's own 3 s lets a session end whenever one of them comes late.
            .with("KAFKA_PROPERTY_heartbeat_interval_ms", "600");
        pipeline.settings.extend(agent.settings(&site, folder.path()));
        pipeline.run(&["init"]);
        let topic = tokio::runtime::Runtime::new().unwrap().block_on(WorkTopic::create(&pipeline, agent.work_type()));
        let bench = Self { agent, pipeline, site, topic, _folder: folder };
        agent.set_up(&bench);
        bench
    }

    /// The first attempt at the work about this name.
    pub fn work(&self, name: &str) -> Work {
        assert!(NAMES.contains(&name), "{name}");
        lifestream_tests::work::work(self.agent.work_type(), &subject(name), &self.agent.payload(&self.site, name))
    }

    /// Starts the agent.
    pub fn start(&self) -> Program {
        self.agent.spawn(&self.pipeline, None)
    }

    /// Starts the agent, which dies at its failpoint.
    pub fn start_mortal(&self, failpoint: &str) -> Program {
        self.agent.spawn(&self.pipeline, Some(failpoint))
    }

    /// The events that answer this very work, as `type|error`.
    pub fn answers(&self, work: &Work) -> Vec<String> {
        let sql = format!(
            "SELECT event_type || '|' || coalesce(payload->>'error', '') FROM lifestream.events \
             WHERE causation_id = '{}' AND source LIKE 'agent/%'",
            work.triggered_by_event_id
        );
        self.pipeline.database.psql(&sql).lines().map(str::to_owned).collect()
    }

    /// Waits until this work is answered, by one fact under its derived id.
    #[track_caller]
    pub fn await_fact(&self, work: &Work) {
        self.await_answer(work);
        assert_eq!(self.answers(work), [format!("{}|", self.agent.fact())], "{}", work.subject_id);
    }

    /// Waits until this work is answered, whatever the answer.
    #[track_caller]
    pub fn await_answer(&self, work: &Work) {
        let id = ids::result_id(self.agent.group(), work.id);
        eventually(SOON, &format!("{}: {} is answered", self.agent.name(), work.subject_id), || {
            self.pipeline.database.psql(&format!("SELECT count(*) FROM lifestream.events WHERE id = '{id}'")) == "1"
        });
    }
}

/// The subject of the link with this name.
pub fn subject(name: &str) -> String {
    format!("link:{name}")
}

/// A broker on which a group does without a dead member soon.
fn kafka() -> &'static Kafka {
    static KAFKA: OnceLock<Kafka> = OnceLock::new();
    KAFKA.get_or_init(|| {
        let properties = vec!["group.min.session.timeout.ms=1000".to_owned()];
        Kafka::start_with(&KafkaOptions { properties, ..KafkaOptions::default() })
    })
}
