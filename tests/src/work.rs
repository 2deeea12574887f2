//! Work messages put on their topic by hand, as the router puts them.

use std::collections::HashSet;
use std::time::Duration;

use lifestream_envelope::kafka::Kafka as Client;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::topics::TopicSpec;
use lifestream_envelope::work::Work;
use lifestream_envelope::{ids, topics};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::pipeline::Pipeline;
use crate::topic::{committed, read_topic};

/// The first attempt at some work, of an event that never was.
///
/// # Panics
/// If the payload makes it no work message.
pub fn work(work_type: &str, subject_id: &str, payload: &Value) -> Work {
    let event = Uuid::now_v7();
    let message = json!({
        "id": ids::work_id(event, work_type, 1),
        "subject": "link",
        "subject_id": subject_id,
        "work_type": work_type,
        "correlation_id": event,
        "triggered_by_event_id": event,
        "attempt": 1,
        "max_attempts": 3,
        "created_at": "2026-01-01T00:00:00Z",
        "not_before": null,
        "last_error": null,
        "payload": payload,
    });
    Work::parse(message.to_string().as_bytes()).expect("a work message")
}

/// A work topic of a pipeline, to put messages on.
pub struct WorkTopic {
    topic: String,
    producer: BaseProducer,
}

impl WorkTopic {
    /// The topic of that work type, which exists already.
    pub fn new(pipeline: &Pipeline<'_>, work_type: &str) -> Self {
        let client = client(pipeline);
        let topic = client.topic(&Work::topic(work_type));
        Self { topic, producer: client.producer_config().create().expect("a producer") }
    }

    /// The same, created first unless it is there.
    ///
    /// # Panics
    /// If Kafka does not make it.
    pub async fn create(pipeline: &Pipeline<'_>, work_type: &str) -> Self {
        let fetch = topics::TOPICS.iter().find(|spec| spec.name == topics::WORK_FETCH_LINK).expect("it is built in");
        // Topics of further work types look like the built-in ones; a test program leaks a few names.
        let spec = TopicSpec { name: Box::leak(Work::topic(work_type).into_boxed_str()), ..*fetch };
        client(pipeline).create_topic(&spec).await.expect("the topic is created");
        Self::new(pipeline, work_type)
    }

    /// Its name, with the prefix.
    pub fn name(&self) -> &str {
        &self.topic
    }

    /// Puts messages in order and waits until Kafka has them.
    pub fn put<'w>(&self, work: impl IntoIterator<Item = &'w Work>) {
        for work in work {
            self.send(work.subject_id.as_bytes(), &work.value().expect("a value"), Some(work));
        }
        self.producer.flush(Duration::from_secs(60)).expect("Kafka takes it");
    }

    /// Puts a value that may be anything.
    pub fn put_value(&self, key: &str, value: &[u8]) {
        self.send(key.as_bytes(), value, None);
        self.producer.flush(Duration::from_secs(60)).expect("Kafka takes it");
    }

    /// What an agent's group (named without prefix) has committed as done is answered by it, or put off. To be asked when
    /// no router sends.
    ///
    /// # Panics
    /// If work is lost; if Kafka does not tell, or a record is no work message.
    #[track_caller]
    pub fn assert_none_lost(&self, pipeline: &Pipeline<'_>, group: &str) {
        let committed = committed(&pipeline.kafka.brokers(), &format!("{}{group}", pipeline.prefix), &self.topic);
        let known = "SELECT id FROM lifestream.events UNION ALL SELECT work_id FROM lifestream.pending_retries";
        let known = pipeline.database.psql(known);
        let known: HashSet<Uuid> = known.lines().map(|id| id.parse().expect("a uuid")).collect();
        let lost: Vec<String> = read_topic(&pipeline.kafka.brokers(), &self.topic)
            .into_iter()
            .filter(|record| committed.get(&record.partition).is_some_and(|offset| record.offset < *offset))
            .map(|record| Work::parse(record.value.as_deref().expect("a value")).expect("a work message"))
            .filter(|work| !known.contains(&work.id) && !known.contains(&ids::result_id(group, work.id)))
            .map(|work| work.subject_id)
            .collect();
        assert!(lost.is_empty(), "committed, and neither answered nor put off: {lost:?}");
    }

    fn send(&self, key: &[u8], value: &[u8], work: Option<&Work>) {
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.topic).key(key).payload(value);
        if let Some(work) = work {
            record = record.headers(work.kafka_headers());
        }
        while let Err((error, unsent)) = self.producer.send(record) {
            assert!(error.to_string().contains("QueueFull"), "{error}");
            self.producer.poll(Duration::from_millis(10));
            record = unsent;
        }
    }
}

/// The settings of a pipeline, as its programs read them.
///
/// # Panics
/// If they are wrong.
pub fn settings(pipeline: &Pipeline<'_>) -> Settings {
    let environment = pipeline.environment().into_iter().collect();
    Settings::load_from(&std::collections::BTreeMap::new(), environment, std::path::Path::new("/")).expect("settings")
}

fn client(pipeline: &Pipeline<'_>) -> Client {
    Client::new(&settings(pipeline).kafka).expect("a client")
}
