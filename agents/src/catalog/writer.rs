//! Writing the catalog: what the topic lacks against the tags that links have.

use std::collections::HashMap;
use std::sync::Arc;

use lifestream_envelope::kafka::Kafka;
use lifestream_envelope::topics;
use rdkafka::message::OwnedHeaders;
use tokio_postgres::Client;

use super::{Reader, Value, key};
use crate::AgentError;
use crate::producer::{Outgoing, Producer};

/// What a compaction keeps apart: a tenant's tag and another one's may have the same key where names hold a slash. The
/// first by this order has it.
const COUNTS: &str = "SELECT tenant_id, tag, label, links, given FROM lifestream.tag_counts ORDER BY tenant_id, tag";

/// Writes differences. One member of the router's group has it at a time; were there two, both would write the same.
#[derive(Debug)]
pub struct Writer {
    reader: Reader,
    topic: Arc<str>,
}

impl Writer {
    /// Reads the topic first.
    ///
    /// # Errors
    /// As [`Reader::start`].
    pub async fn open(kafka: &Kafka, group: &str) -> Result<Self, AgentError> {
        Ok(Self { reader: Reader::start(kafka, group).await?, topic: kafka.topic(topics::TAGS_CATALOG).into() })
    }

    /// Brings the topic to what the tags are now; gives how many records that took.
    ///
    /// # Errors
    /// As Kafka and the database have it; what was written counts all the same.
    pub async fn write(&self, client: &Client, producer: &Producer) -> Result<usize, AgentError> {
        // All that this writer, or one before it, has written is read back: nothing is written twice.
        self.reader.current().await?;
        let mut wanted: HashMap<String, Value> = HashMap::new();
        for row in client.query(COUNTS, &[]).await? {
            let (tenant, tag, links): (&str, String, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(3)?);
            let links = u64::try_from(links).unwrap_or_default();
            wanted.entry(key(tenant, &tag)).or_insert(Value {
                tag,
                label: row.try_get(2)?,
                links,
                given: row.try_get(4)?,
            });
        }
        let messages = self.differences(wanted);
        let refused = producer.send(&messages).await.all()?;
        for refusal in &refused {
            let key = messages.get(refusal.number).map(|message| message.key.as_str());
            tracing::error!(topic = %self.topic, key, reason = refusal.reason, "Kafka refuses a tag of the catalog");
        }
        Ok(messages.len() - refused.len())
    }

    fn differences(&self, mut wanted: HashMap<String, Value>) -> Vec<Outgoing> {
        let message = |key, value| Outgoing {
            topic: Arc::clone(&self.topic),
            key,
            value,
            headers: OwnedHeaders::new_with_capacity(0),
        };
        let mut messages = Vec::new();
        for (key, there) in self.reader.catalog().all() {
            match wanted.remove(key) {
                Some(tag) if tag == there.value => {}
                Some(tag) => messages.push(message(key.clone(), Some(value(&tag)))),
                None => messages.push(message(key.clone(), None)),
            }
        }
        for (key, tag) in wanted {
            messages.push(message(key, Some(value(&tag))));
        }
        messages
    }
}

fn value(tag: &Value) -> Vec<u8> {
    serde_json::json!({ "tag": tag.tag, "label": tag.label, "links": tag.links, "given": tag.given })
        .to_string()
        .into_bytes()
}
