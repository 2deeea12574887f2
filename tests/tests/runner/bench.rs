//! A database and a topic of one's own, an agent that does what its work says, and members in this process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use lifestream_agents::runner::{self, Agent, CircuitSettings, Context, Fact, Failure, Lane, Options};
use lifestream_envelope::Until;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::work::Work;
use lifestream_tests::work::{WorkTopic, settings, work};
use lifestream_tests::{Kafka, Pipeline, Postgres, Running};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

pub const SOON: Duration = Duration::from_secs(60);
/// The built-in work type whose topic these tests borrow.
pub const TYPE: &str = "fetch_link";
pub const GROUP: &str = "scripted-v1";

/// What the agent has been through, whichever member it was.
#[derive(Default)]
pub struct Seen {
    /// Subject and number, when it began.
    pub began: Vec<(String, i64)>,
    /// The same, when it ended.
    pub ended: Vec<(String, i64)>,
    pub most_at_once: usize,
}

/// What members of one test share.
pub struct World {
    pub seen: Mutex<Seen>,
    now: AtomicUsize,
    /// Whether the host `down` is, and whether the state lags.
    pub is_down: AtomicBool,
    /// Work that says `wait` waits for one of these.
    pub gate: Semaphore,
}

/// Does what the payload says: `do` is nothing (works), `wait`, `pause` (a few milliseconds), `fail`, `permanent`,
/// `panic`, `hang`, `later` (with Retry-After), `behind` (a redirect to the host `dead` that says so), `lag` (the state is not there yet), `turn` (in an hour), `odd` (a
/// fact that PostgreSQL refuses). Work with `host` has a lane; everything at the host `down` fails, and `lag` waits, while the world says so.
struct Scripted {
    world: Arc<World>,
    deadline: Duration,
    has_one_lane: bool,
}

#[async_trait]
impl Agent for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn work_type(&self) -> &'static str {
        TYPE
    }

    fn group(&self) -> &'static str {
        GROUP
    }

    fn deadline(&self) -> Duration {
        self.deadline
    }

    fn lane(&self, work: &Work) -> Option<Lane> {
        let payload: Value = serde_json::from_str(work.payload.get()).unwrap();
        let name = payload["host"].as_str()?.to_owned();
        Some(Lane { name, interval: Duration::from_millis(payload["interval_ms"].as_u64().unwrap_or(0)) })
    }

    fn has_one_lane(&self) -> bool {
        self.has_one_lane
    }

    async fn handle(&self, work: &Work, _: &Context<'_>) -> Result<Fact, Failure> {
        let payload: Value = serde_json::from_str(work.payload.get()).unwrap();
        let what = (work.subject_id.clone(), payload["n"].as_i64().unwrap_or(0));
        let world = &self.world;
        let _now = Now::new(world);
        world.seen.lock().unwrap().began.push(what.clone());
        match payload["do"].as_str().unwrap_or_default() {
            "wait" => world.gate.acquire().await.unwrap().forget(),
            "pause" => tokio::time::sleep(Duration::from_millis(3)).await,
            "fail" => return Err(Failure::passing("it did not work")),
            "permanent" => return Err(Failure::Permanent { error: "it never will".to_owned() }),
            "panic" => panic!("scripted to panic"),
            "hang" => std::future::pending().await,
            what @ ("later" | "behind") => {
                let not_before = Some("2099-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
                let lane = (what == "behind").then(|| "dead".to_owned());
                return Err(Failure::Passing { error: "429".to_owned(), not_before, lane });
            }
            "turn" => {
                return Err(Failure::NotYet { reason: "its turn".to_owned(), wait: Some(Duration::from_secs(3600)) });
            }
            "lag" if world.is_down.load(Ordering::SeqCst) => {
                return Err(Failure::NotYet { reason: "the state lags".to_owned(), wait: None });
            }
            "odd" => return Ok(Fact { event_type: "content.fetched", payload: json!({"text": "a\0b"}) }),
            _ => {}
        }
        if payload["host"] == "down" && world.is_down.load(Ordering::SeqCst) {
            return Err(Failure::passing("503 from down"));
        }
        world.seen.lock().unwrap().ended.push(what);
        Ok(Fact { event_type: "scripted.done", payload: json!({"n": payload["n"]}) })
    }
}

/// Counts what runs at a time, also what is broken off.
struct Now<'a>(&'a World);

impl<'a> Now<'a> {
    fn new(world: &'a World) -> Self {
        let now = world.now.fetch_add(1, Ordering::SeqCst) + 1;
        let mut seen = world.seen.lock().unwrap();
        seen.most_at_once = seen.most_at_once.max(now);
        Self(world)
    }
}

impl Drop for Now<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

pub struct Bench {
    pub pipeline: Pipeline<'static>,
    pub settings: Settings,
    pub topic: WorkTopic,
    pub world: Arc<World>,
    pub circuits: CircuitSettings,
    pub deadline: Duration,
    /// Whether the agent says that all work has the same lane.
    pub has_one_lane: bool,
}

impl Bench {
    pub async fn new(test: &str) -> Self {
        Self::on(test, Postgres::shared()).await
    }

    pub async fn on(test: &str, postgres: &'static Postgres) -> Self {
        let pipeline = Pipeline::new(test, postgres, Kafka::shared());
        let settings = settings(&pipeline);
        let topic = WorkTopic::create(&pipeline, TYPE).await;
        let world = World {
            seen: Mutex::default(),
            now: AtomicUsize::new(0),
            is_down: AtomicBool::new(false),
            gate: Semaphore::new(0),
        };
        let circuits = CircuitSettings {
            slow_interval: Duration::from_millis(10),
            pause: Duration::from_secs(2),
            ..CircuitSettings::default()
        };
        let (deadline, has_one_lane) = (Duration::from_secs(60), false);
        Self { pipeline, settings, topic, world: Arc::new(world), circuits, deadline, has_one_lane }
    }

    pub fn psql(&self, sql: &str) -> String {
        self.pipeline.database.psql(sql)
    }

    pub fn count(&self, of: &str) -> i64 {
        self.psql(&format!("SELECT count(*) FROM {of}")).parse().unwrap()
    }

    pub fn put(&self, work: &[Work]) {
        self.topic.put(work);
    }

    fn run(&self, until: Until) -> Running {
        let world = Arc::clone(&self.world);
        let agent = Scripted { world, deadline: self.deadline, has_one_lane: self.has_one_lane };
        let options = Options { group: None, circuits: self.circuits };
        let settings = self.settings.clone();
        Running::start(async move |told| runner::run(&settings, agent, options, told, until).await)
    }

    pub fn start(&self) -> Running {
        self.run(Until::Shutdown)
    }

    /// Works off what is there.
    pub async fn settle(&self) {
        self.run(Until::Idle).end().await;
    }

    /// How many tasks of subjects that begin so have begun.
    pub fn began(&self, subject: &str) -> usize {
        self.world.seen.lock().unwrap().began.iter().filter(|(began, _)| began.starts_with(subject)).count()
    }

    /// What is committed as done is answered or put off.
    #[track_caller]
    pub fn assert_none_lost(&self) {
        self.topic.assert_none_lost(&self.pipeline, GROUP);
    }

    /// The events that answer work, as `type|subject|rest of the payload that matters`.
    pub fn answer(&self, work: &Work) -> Value {
        let id = lifestream_envelope::ids::result_id(GROUP, work.id);
        let rows = self.psql(&format!("SELECT to_jsonb(e) FROM lifestream.events e WHERE id = '{id}'"));
        if rows.is_empty() { Value::Null } else { serde_json::from_str(&rows).unwrap() }
    }
}

/// Work for the scripted agent.
pub fn task(subject: &str, n: i64, payload: Value) -> Work {
    let mut payload = payload;
    payload["n"] = n.into();
    work(TYPE, subject, &payload)
}

/// By subject, the numbers in the order in which they were noted.
pub fn by_subject(noted: &[(String, i64)]) -> BTreeMap<&str, Vec<i64>> {
    let mut subjects: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (subject, n) in noted {
        subjects.entry(subject).or_default().push(*n);
    }
    subjects
}
