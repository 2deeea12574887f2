//! The enricher with a real Kafka: every member holds the whole catalog of tags.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod api;
mod catalog;
mod members;

use std::collections::BTreeMap;
use std::time::Duration;

use lifestream_envelope::work::Work;
use lifestream_tests::Kafka;
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::json;
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(60);

/// Writes to the topics of one test.
struct Writer {
    producer: FutureProducer,
    prefix: String,
}

impl Writer {
    fn new(kafka: &Kafka, prefix: &str) -> Self {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", kafka.brokers())
            .set("partitioner", "murmur2_random")
            .create()
            .unwrap();
        Self { producer, prefix: prefix.to_owned() }
    }

    async fn send(&self, topic: &str, key: &str, value: Option<&[u8]>) {
        let topic = format!("{}{topic}", self.prefix);
        let mut record = FutureRecord::to(&topic).key(key);
        if let Some(value) = value {
            record = record.payload(value);
        }
        self.producer.send(record, SOON).await.unwrap();
    }

    async fn tag(&self, tag: &str, links: u64) {
        self.send("tags.catalog", tag, Some(json!({"tag": tag, "label": tag, "links": links}).to_string().as_bytes()))
            .await;
    }

    async fn tombstone(&self, tag: &str) {
        self.send("tags.catalog", tag, None).await;
    }

    async fn work(&self, work: &Work) {
        self.send("work.enrich_link", &work.subject_id, Some(&work.value().unwrap())).await;
    }
}

fn work(subject_id: &str, text: &str) -> Work {
    let trigger = Uuid::now_v7();
    let message = json!({
        "id": lifestream_envelope::ids::work_id(trigger, "enrich_link", 1), "tenant_id": "", "subject": "link",
        "subject_id": subject_id, "work_type": "enrich_link", "correlation_id": trigger, "triggered_by_event_id": trigger,
        "attempt": 1, "max_attempts": 3, "created_at": "2026-01-01T00:00:00Z", "not_before": null, "last_error": null,
        "payload": {"text_content": text, "fetch_error": null, "metadata": {"title": "A title", "language": "en"}},
    });
    Work::parse(message.to_string().as_bytes()).unwrap()
}

/// Names that nothing else contains.
fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("known{number}x")).collect()
}

/// Which of these a model was offered.
fn offered(told: &str, names: &[String]) -> BTreeMap<String, bool> {
    names.iter().map(|name| (name.clone(), told.contains(name.as_str()))).collect()
}

fn all(offered: &BTreeMap<String, bool>) -> bool {
    offered.values().all(|offered| *offered)
}
