//! The topic, read once from where the range can begin.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use jiff::Timestamp;
use lifestream_envelope::headers;
use lifestream_envelope::kafka::{End, Kafka, KafkaError, Stretch};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use serde::Deserialize;
use tokio::sync::mpsc::Sender;
use uuid::Uuid;

use super::emitted::{Emitted, Met};
use super::{Named, Range};

/// Ids that are looked up in the database at once.
const LOOK_UP: usize = 10_000;

/// What of a record's value this is about.
#[derive(Deserialize)]
struct Facts {
    id: Uuid,
    seq: i64,
    received_at: Timestamp,
}

/// What was found on the topic.
pub struct Seen {
    /// Which events were met.
    pub emitted: Emitted,
    /// How many of them.
    pub found: usize,
    /// More than once.
    pub twice: Named,
    /// Behind an event of its subject with a higher `seq`, in one partition; repeats do not count.
    pub reordered: Named,
}

/// Collects it.
pub struct Reading {
    seen: Seen,
    range: Arc<Range>,
    /// For each subject (by a hash of the key): the partition that its last event was in, and the highest number there.
    last: HashMap<u64, (i32, i64)>,
    hasher: RandomState,
    unknown: Vec<Uuid>,
    sender: Sender<Vec<Uuid>>,
}

impl Reading {
    /// Ids that lie in the range and are not among `emitted` go to `unknown`, many at once.
    pub fn new(emitted: Emitted, range: Arc<Range>, unknown: Sender<Vec<Uuid>>) -> Self {
        Self {
            seen: Seen { emitted, found: 0, twice: Named::default(), reordered: Named::default() },
            range,
            last: HashMap::new(),
            hasher: RandomState::new(),
            unknown: Vec::new(),
            sender: unknown,
        }
    }

    /// Reads the stretches. Blocks.
    pub fn read(mut self, kafka: &Kafka, topic: &str, stretches: &[Stretch]) -> Result<Seen, KafkaError> {
        kafka.read("verify", topic, stretches, End::Partition, |record| self.take(record))?;
        self.ask();
        Ok(self.seen)
    }

    fn take(&mut self, record: &BorrowedMessage<'_>) {
        let is_marker = record.headers().is_some_and(|list| list.iter().any(|header| header.key == headers::MARKER));
        // What is no event of ours is the materializer's to park.
        let Ok(facts) = serde_json::from_slice::<Facts>(record.payload().unwrap_or_default()) else { return };
        if is_marker || !self.range.contains(facts.received_at) {
            return;
        }
        match self.seen.emitted.meet(facts.seq, facts.id) {
            Met::First => {
                self.seen.found += 1;
                let subject = self.hasher.hash_one(record.key().unwrap_or_default());
                match self.last.get(&subject) {
                    Some((partition, seq)) if *partition == record.partition() && *seq > facts.seq => {
                        self.seen.reordered.add(facts.id);
                    }
                    _ => drop(self.last.insert(subject, (record.partition(), facts.seq))),
                }
            }
            Met::Again { second: true } => self.seen.twice.add(facts.id),
            Met::Again { second: false } => {}
            Met::Unknown => {
                self.unknown.push(facts.id);
                if self.unknown.len() >= LOOK_UP {
                    self.ask();
                }
            }
        }
    }

    fn ask(&mut self) {
        let ids = std::mem::take(&mut self.unknown);
        if !ids.is_empty() {
            // Closed only where the other side has failed, and tells it itself.
            drop(self.sender.blocking_send(ids));
        }
    }
}
