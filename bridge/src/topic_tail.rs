//! Reads back what an earlier epoch may have sent without saving that it did.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use lifestream_envelope::event::Event;
use lifestream_envelope::headers;
use lifestream_envelope::kafka::{Kafka, Watch};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::Offset;
use uuid::Uuid;

use crate::error::BridgeError;
use crate::fitness::Identity;

/// A partition that yields nothing for this long has a broker that does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// One partition's stretch: from the offset `from` up to, not including, `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Partition number.
    pub partition: i32,
    /// First offset.
    pub from: i64,
    /// One past the last offset.
    pub to: i64,
}

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
}

/// What ends a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// A marker of ours, which is sure to be readable, whatever a broker says of the end.
    Marker,
    /// What was the partition's end. What lies before it may be no record that consumers see (the end of somebody's transaction).
    End,
}

/// All events in these stretches of the topic.
///
/// # Errors
/// When the topic cannot be read to the end of each stretch.
pub async fn read(kafka: &Kafka, topic: &str, stretches: Vec<Stretch>, until: Until) -> Result<Found, BridgeError> {
    let (kafka, topic) = (kafka.clone(), topic.to_owned());
    tokio::task::spawn_blocking(move || blocking(&kafka, &topic, &stretches, until))
        .await
        .map_err(|panic| BridgeError::Unfit(format!("reading the topic back: {panic}")))?
}

fn blocking(kafka: &Kafka, topic: &str, stretches: &[Stretch], until: Until) -> Result<Found, BridgeError> {
    let mut open: Vec<Stretch> = stretches.iter().copied().filter(|s| s.from < s.to).collect();
    let mut found = Found::default();
    if open.is_empty() {
        return Ok(found);
    }
    let mut config = kafka.consumer_config("bridge-start");
    // The group only satisfies librdkafka: partitions are assigned by hand and nothing is committed.
    config.set("enable.partition.eof", (until == Until::End).to_string()).set("fetch.wait.max.ms", "20");
    // Ours are in no transaction: somebody else's open one must not hide them.
    config.set("isolation.level", "read_uncommitted");
    let consumer: BaseConsumer<Watch> = config.create_with_context(Watch::default()).map_err(BridgeError::Delivery)?;
    let mut assignment = TopicPartitionList::new();
    for stretch in &open {
        assignment
            .add_partition_offset(topic, stretch.partition, Offset::Offset(stretch.from))
            .map_err(BridgeError::Delivery)?;
    }
    consumer.assign(&assignment).map_err(BridgeError::Delivery)?;
    let mut heard = Instant::now();
    while !open.is_empty() {
        let message = match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => message,
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.retain(|stretch| stretch.partition != partition);
                continue;
            }
            // Brokers come and go; silence decides.
            Some(Err(error)) if heard.elapsed() > PATIENCE => {
                return Err(BridgeError::Delivery(error));
            }
            None if heard.elapsed() > PATIENCE => {
                return Err(BridgeError::Delivery(KafkaError::NoMessageReceived));
            }
            Some(Err(_)) | None => continue,
        };
        heard = Instant::now();
        let at = message.offset();
        let Some(i) = open.iter().position(|s| s.partition == message.partition()) else {
            continue;
        };
        if at < open[i].to {
            found.take(&message);
        }
        if at + 1 >= open[i].to {
            open.swap_remove(i);
        }
    }
    Ok(found)
}

impl Found {
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
