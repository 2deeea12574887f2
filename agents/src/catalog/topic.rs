//! Reading the topic: from its beginning to its end, and on from there.

use std::time::Duration;

use lifestream_envelope::kafka::{Kafka, Watch};
use lifestream_envelope::topics;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::Catalog;
use crate::AgentError;

/// A record comes within this time while not all have been read, or loading is given up.
const STALLED: Duration = Duration::from_secs(20);

/// A consumer that has read the topic to its end, and what it found.
pub struct Reading {
    /// Reads on.
    pub consumer: StreamConsumer<Watch>,
    /// What stood in the topic.
    pub catalog: Catalog,
    /// How far it has read.
    pub reached: Reached,
}

/// How far the topic has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// The topic's id: another one of that name is another topic.
    pub topic_id: String,
    /// For each partition, the offset of the next record.
    pub next: Vec<i64>,
}

impl Reached {
    /// Moves past a record.
    pub fn pass(&mut self, partition: i32, offset: i64) {
        if let Some(next) = usize::try_from(partition).ok().and_then(|at| self.next.get_mut(at)) {
            *next = (*next).max(offset + 1);
        }
    }

    /// Whether that is all below these ends.
    pub fn covers(&self, ends: &[i64]) -> bool {
        self.next.len() == ends.len() && self.next.iter().zip(ends).all(|(next, end)| next >= end)
    }
}

/// What came of asking for a record.
pub enum Came<'c> {
    /// A record.
    Record(BorrowedMessage<'c>),
    /// The end of a partition.
    End(i32),
    /// Nothing that concerns the reader.
    Nothing,
}

/// Where the topic ends now, by partition, and its id.
///
/// # Errors
/// Kafka's, and where there is no such topic.
pub async fn ends(kafka: &Kafka) -> Result<(String, Vec<(i64, i64)>), AgentError> {
    let topic = kafka.topic(topics::TAGS_CATALOG);
    let info = kafka.describe_topic(&topic).await?.ok_or_else(|| AgentError::TopicMissing(topic.clone()))?;
    Ok((info.id, kafka.offsets(&topic, info.partitions).await?))
}

impl Reading {
    /// Reads all that there is.
    ///
    /// # Errors
    /// As Kafka has it.
    pub async fn open(kafka: &Kafka, group: &str) -> Result<Self, AgentError> {
        let (topic_id, ends) = ends(kafka).await?;
        let mut config = kafka.consumer_config(group);
        config
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "100")
            .set("reconnect.backoff.max.ms", "1000");
        // Where the topic is not what it was, it is read anew from the beginning, never in part.
        config.set("auto.offset.reset", "error");
        let consumer: StreamConsumer<Watch> = config.create_with_context(Watch::default())?;
        let topic = kafka.topic(topics::TAGS_CATALOG);
        let mut assignment = TopicPartitionList::new();
        for (partition, (low, _)) in (0..).zip(&ends) {
            assignment.add_partition_offset(&topic, partition, Offset::Offset(*low))?;
        }
        consumer.assign(&assignment)?;
        let mut reached = Reached { topic_id, next: ends.iter().map(|(low, _)| *low).collect() };
        let wanted: Vec<i64> = ends.iter().map(|(_, high)| *high).collect();
        let mut catalog = Catalog::default();
        while !reached.covers(&wanted) {
            let came = tokio::time::timeout(STALLED, receive(&consumer)).await;
            match came.map_err(|_| KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut))?? {
                Came::Record(record) => {
                    take(&mut catalog, &record);
                    reached.pass(record.partition(), record.offset());
                }
                // Compaction may leave the last offsets without a record.
                Came::End(partition) => {
                    let end = usize::try_from(partition).ok().and_then(|at| wanted.get(at)).copied();
                    reached.pass(partition, end.unwrap_or_default() - 1);
                }
                Came::Nothing => {}
            }
        }
        Ok(Self { consumer, catalog, reached })
    }
}

/// The next record, or why there is none.
///
/// # Errors
/// What reading on cannot help: the topic has to be read anew.
pub async fn receive(consumer: &StreamConsumer<Watch>) -> Result<Came<'_>, KafkaError> {
    use RDKafkaErrorCode as Code;
    match consumer.recv().await {
        Ok(record) => Ok(Came::Record(record)),
        Err(KafkaError::PartitionEOF(partition)) => Ok(Came::End(partition)),
        Err(KafkaError::MessageConsumption(
            code @ (Code::AutoOffsetReset
            | Code::OffsetOutOfRange
            | Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownPartition),
        )) => Err(KafkaError::MessageConsumption(code)),
        // librdkafka itself goes on trying.
        Err(KafkaError::MessageConsumption(code)) => {
            tracing::debug!(%code, "reading the tag catalog");
            Ok(Came::Nothing)
        }
        Err(error) => Err(error),
    }
}

/// Takes a record in.
pub fn take(catalog: &mut Catalog, record: &BorrowedMessage<'_>) {
    if let Err(error) = catalog.apply(record.key(), record.payload()) {
        let (partition, offset) = (record.partition(), record.offset());
        tracing::warn!(partition, offset, "tags.catalog holds a record that is none of its own: {error}");
    }
}
