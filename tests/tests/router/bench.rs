//! A pipeline of one's own: events emitted by SQL, bridge, materializer and routers in this process, and what lies on
//! the work topics.

use std::time::Duration;

use lifestream_agents::{materializer, router};
use lifestream_envelope::kafka::Kafka as Client;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::{Until, ids, topics};
use lifestream_tests::work;
use lifestream_tests::{Kafka, Pipeline, Postgres, Record, Running};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const SOON: Duration = Duration::from_secs(60);

pub struct Bench {
    pub pipeline: Pipeline<'static>,
    pub settings: Settings,
    pub client: Client,
}

impl Bench {
    pub async fn new(test: &str) -> Self {
        Self::on(test, Postgres::shared(), Kafka::shared()).await
    }

    /// On servers of the test's own.
    pub async fn on(test: &str, postgres: &'static Postgres, kafka: &'static Kafka) -> Self {
        Self::over(Pipeline::new(test, postgres, kafka)).await
    }

    pub async fn over(pipeline: Pipeline<'static>) -> Self {
        let settings = work::settings(&pipeline);
        let client = Client::new(&settings.kafka).unwrap();
        for spec in topics::TOPICS {
            client.create_topic(spec).await.unwrap();
        }
        Self { pipeline, settings, client }
    }

    pub fn psql(&self, sql: &str) -> String {
        self.pipeline.database.psql(sql)
    }

    pub fn count(&self, of: &str) -> i64 {
        self.psql(&format!("SELECT count(*) FROM {of}")).parse().unwrap()
    }

    /// Emits one event; gives its id.
    pub fn emit(&self, event_type: &str, subject_id: &str, payload: &Value) -> Uuid {
        let (subject, payload) = (event_type.split('.').next().unwrap(), payload.to_string().replace('\'', "''"));
        self.psql(&format!("SELECT lifestream.emit_event('{event_type}', '{subject}', '{subject_id}', '{payload}')"))
            .parse()
            .unwrap()
    }

    /// Everything that was emitted comes to Kafka.
    pub async fn publish(&self) {
        lifestream_bridge::run(&self.settings, CancellationToken::new(), Until::Idle).await.unwrap();
    }

    /// Everything that is in Kafka is materialized.
    pub async fn materialize(&self) {
        let options = materializer::Options::default();
        materializer::run(&self.settings, options, CancellationToken::new(), Until::Idle).await.unwrap();
    }

    /// A router works everything off.
    pub async fn route(&self) {
        self.route_as("router-v1").await;
    }

    pub async fn route_as(&self, group: &str) {
        let options = router::Options { group: group.to_owned() };
        router::run(&self.settings, options, CancellationToken::new(), Until::Idle).await.unwrap();
    }

    pub fn start(&self) -> Running {
        let settings = self.settings.clone();
        Running::start(async move |told| {
            router::run(&settings, router::Options::default(), told, Until::Shutdown).await
        })
    }

    /// The work on a topic, each message as JSON.
    pub fn work(&self, work_type: &str) -> Vec<Value> {
        self.records(work_type).iter().map(Record::json).collect()
    }

    pub fn records(&self, work_type: &str) -> Vec<Record> {
        self.pipeline.records(&format!("work.{work_type}"))
    }

    /// Emits a failure of an attempt, as an agent does.
    pub fn fail(&self, work: &Value, more: &Value) -> Uuid {
        let mut payload = json!({ "work_message": work, "error": "away", "agent": "fetcher", "permanent": false, "not_before": null });
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.emit("work.failed", work["subject_id"].as_str().unwrap(), &payload)
    }
}

/// A work message of an attempt, as the router makes it.
pub fn work_message(trigger: Uuid, work_type: &str, subject_id: &str, attempt: u32) -> Value {
    json!({
        "id": ids::work_id(trigger, work_type, attempt), "tenant_id": "", "subject": "link", "subject_id": subject_id,
        "work_type": work_type, "correlation_id": trigger, "triggered_by_event_id": trigger, "attempt": attempt,
        "max_attempts": 3, "created_at": "2026-01-01T00:00:00Z", "not_before": null, "last_error": null,
        "payload": { "url": "https://example.org/" },
    })
}

pub fn link(number: usize) -> Value {
    json!({ "url": format!("https://example.org/{number}"), "title": "T" })
}

/// Of JSON objects one member each, sorted.
pub fn all<'a>(values: &'a [Value], member: &str) -> Vec<&'a str> {
    let mut found: Vec<&str> = values.iter().map(|value| value[member].as_str().unwrap()).collect();
    found.sort_unstable();
    found
}

/// Puts a retry into the table that is due, as an agent of one's own may.
pub fn due(bench: &Bench, work: &Value, subject_id: &str) {
    let (id, work_type, attempt) = (&work["id"], work["work_type"].as_str().unwrap(), &work["attempt"]);
    bench.psql(&format!(
        "INSERT INTO lifestream.pending_retries (work_id, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message)
         VALUES ('{}', '{work_type}', '', '{subject_id}', {attempt}, now(), 'retry', '{work}')",
        id.as_str().unwrap()
    ));
}
