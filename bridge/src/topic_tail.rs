//! Reads back what an earlier epoch may have sent without saving that it did.

use std::collections::{BTreeSet, HashMap};

use lifestream_envelope::event::Event;
use lifestream_envelope::headers;
use lifestream_envelope::kafka::{End, Kafka, Stretch};
use rdkafka::message::{Headers, Message};
use uuid::Uuid;

use crate::error::BridgeError;
use crate::fitness::Identity;

/// Where an event lies, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Partition number.
    pub partition: i32,
    /// Offset of its first record.
    pub offset: i64,
    /// `seq`; 0 where the record does not tell.
    pub seq: i64,
}

/// What lies in a topic.
#[derive(Debug, Default)]
pub struct Found {
    /// All events, by id.
    pub events: HashMap<Uuid, Place>,
    /// Whose markers there are.
    databases: BTreeSet<String>,
}

impl Found {
    /// Those who have begun to publish there, but for this database.
    pub fn publishers(&self, identity: &Identity) -> Vec<String> {
        let own = identity.named();
        self.databases.iter().filter(|database| **database != own).cloned().collect()
    }

    fn take(&mut self, message: &impl Message) {
        let header = |name: &str| message.headers()?.iter().find(|header| header.key == name)?.value;
        if let Some(database) = header(headers::DATABASE) {
            self.databases.insert(String::from_utf8_lossy(database).into_owned());
        }
        let Some(id) = header(headers::EVENT_ID).and_then(|id| Uuid::try_parse_ascii(id).ok()) else { return };
        let seq = message.payload().and_then(|value| Event::parse(value).ok()).map_or(0, |event| event.seq);
        self.events.entry(id).or_insert(Place { partition: message.partition(), offset: message.offset(), seq });
    }
}

/// All events in these stretches of the topic.
///
/// # Errors
/// When the topic cannot be read to the end of each stretch.
pub async fn read(kafka: &Kafka, topic: &str, stretches: Vec<Stretch>, end: End) -> Result<Found, BridgeError> {
    let (kafka, topic) = (kafka.clone(), topic.to_owned());
    let reading = move || {
        let mut found = Found::default();
        kafka.read("bridge-start", &topic, &stretches, end, |message| found.take(message))?;
        Ok(found)
    };
    let read = tokio::task::spawn_blocking(reading).await;
    read.map_err(|panic| BridgeError::Unfit(format!("reading the topic back: {panic}")))?
}
