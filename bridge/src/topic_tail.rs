//! Reads back what an earlier epoch may have sent without saving that it did.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use lifestream_envelope::headers;
use lifestream_envelope::kafka::{Kafka, Watch};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::Offset;
use uuid::Uuid;

use crate::error::BridgeError;

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

/// The ids of all events in these stretches of the topic. Blocks: to be called off the async threads.
///
/// # Errors
/// When the topic cannot be read to the end of each stretch.
pub fn event_ids(kafka: &Kafka, topic: &str, stretches: &[Stretch]) -> Result<HashSet<Uuid>, BridgeError> {
    let mut open: Vec<Stretch> = stretches.iter().copied().filter(|s| s.from < s.to).collect();
    let mut ids = HashSet::new();
    if open.is_empty() {
        return Ok(ids);
    }
    let mut config = kafka.consumer_config("bridge-start");
    // The group only satisfies librdkafka: partitions are assigned by hand and nothing is committed.
    config.set("enable.partition.eof", "false").set("fetch.wait.max.ms", "20");
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
            ids.extend(event_id(&message));
        }
        if at + 1 >= open[i].to {
            open.swap_remove(i);
        }
    }
    Ok(ids)
}

fn event_id(message: &impl Message) -> Option<Uuid> {
    let header = message.headers()?.iter().find(|h| h.key == headers::EVENT_ID)?;
    Uuid::try_parse_ascii(header.value?).ok()
}
