//! Reading a whole topic, as any consumer would.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use lifestream_envelope::headers::MARKER;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// One record, with all that a consumer gets.
#[derive(Clone, Debug)]
pub struct Record {
    /// Partition it lies in.
    pub partition: i32,
    /// Offset in its partition.
    pub offset: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    /// A header's value as text, if there is one of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(found, _)| found == name)?;
        std::str::from_utf8(value.as_deref()?).ok()
    }

    /// Whether the bridge wrote it for itself.
    pub fn is_marker(&self) -> bool {
        self.headers.iter().any(|(name, _)| name == MARKER)
    }

    /// The key as text.
    pub fn key(&self) -> &str {
        self.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()).expect("a key in UTF-8")
    }

    /// The value as JSON.
    ///
    /// # Panics
    /// If it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(self.value.as_deref().expect("a value")).expect("a value in JSON")
    }

    /// The id of the event that it carries.
    ///
    /// # Panics
    /// If it carries none.
    pub fn event_id(&self) -> uuid::Uuid {
        self.header("event_id").and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("no event_id: {self:?}"))
    }
}

/// What a group (its name with the prefix) has committed of a topic, by partition.
///
/// # Panics
/// If Kafka does not answer within 20 seconds.
pub fn committed(brokers: &str, group: &str, topic: &str) -> BTreeMap<i32, i64> {
    let consumer = consumer(brokers, group);
    let mut asked = TopicPartitionList::new();
    for partition in partitions(&consumer, topic) {
        asked.add_partition(topic, partition);
    }
    let told = consumer.committed_offsets(asked, Duration::from_secs(20)).expect("Kafka tells");
    let offset = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
    told.elements().iter().filter_map(|element| Some((element.partition(), offset(element.offset())?))).collect()
}

fn consumer(brokers: &str, group: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("allow.auto.create.topics", "false")
        .set("fetch.wait.max.ms", "10")
        .set_log_level(rdkafka::config::RDKafkaLogLevel::Error)
        .create()
        .expect("a consumer")
}

fn partitions(consumer: &BaseConsumer, topic: &str) -> BTreeSet<i32> {
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(20)).expect("Kafka answers");
    metadata.topics().iter().flat_map(|found| found.partitions()).map(|partition| partition.id()).collect()
}

/// Reads a topic from its beginning to its present end; by partition, then by offset. A topic that is not there has no records.
///
/// # Panics
/// If Kafka gives nothing for 60 seconds.
pub fn read_topic(brokers: &str, topic: &str) -> Vec<Record> {
    let consumer = consumer(brokers, "lifestream-tests");
    let partitions = partitions(&consumer, topic);
    let mut assignment = TopicPartitionList::new();
    for partition in &partitions {
        assignment.add_partition_offset(topic, *partition, Offset::Beginning).expect("an assignment");
    }
    consumer.assign(&assignment).expect("an assignment");

    let mut open = partitions;
    let mut records = Vec::new();
    let mut heard = Instant::now();
    while !open.is_empty() {
        assert!(
            heard.elapsed() < Duration::from_secs(60),
            "{topic} was not read to its end, nothing has come for a minute; left: {open:?}"
        );
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => {
                heard = Instant::now();
                records.push(Record {
                    partition: message.partition(),
                    offset: message.offset(),
                    key: message.key().map(<[u8]>::to_owned),
                    value: message.payload().map(<[u8]>::to_owned),
                    headers: message
                        .headers()
                        .into_iter()
                        .flat_map(|headers| headers.iter())
                        .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_owned)))
                        .collect(),
                });
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownTopicOrPartition))) => return Vec::new(),
            Some(Err(error)) => panic!("{topic}: {error}"),
        }
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}
