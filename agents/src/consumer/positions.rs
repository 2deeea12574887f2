//! What Kafka knows of a group's partitions: where they can begin, and whether all of them are done.

use std::collections::BTreeMap;
use std::sync::Arc;

use lifestream_envelope::kafka::{Kafka, KafkaError, TIMEOUT};
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::Reports;
use super::begin::{self, Begin};
use crate::AgentError;

/// A member's consumer, lent to what asks Kafka beside it.
pub type Consumes = Arc<StreamConsumer<Reports>>;

/// Where assigned partitions can begin.
pub struct Positions {
    /// Of the topic as it is now.
    pub topic_id: String,
    /// As they were asked for.
    pub partitions: Vec<Position>,
}

/// Where a partition can begin.
pub struct Position {
    /// Its number.
    pub partition: i32,
    /// By what is committed.
    pub begin: Begin,
    /// Offsets of its first record, and of the one that comes next.
    pub range: (i64, i64),
}

/// Asks for what is committed and what is there, of these partitions of a topic (with its prefix).
///
/// # Errors
/// Kafka does not answer, or has no such topic or partition.
pub async fn of(kafka: &Kafka, consumer: &Consumes, topic: &str, partitions: &[i32]) -> Result<Positions, AgentError> {
    let missing = || AgentError::TopicMissing(topic.to_owned());
    // Committed offsets before Kafka's ends: the ends only grow meanwhile.
    let committed = committed(consumer, topic, partitions).await?;
    let described = kafka.describe_topic(topic).await?.ok_or_else(missing)?;
    let ends = kafka.offsets(topic, described.partitions).await?;
    let position = |partition: i32| {
        let range = ends.get(usize::try_from(partition).ok()?).copied()?;
        let known = committed.get(&partition).map(|(offset, id)| (*offset, id.as_str()));
        let begin = begin::of(topic, &described.id, partition, known, range.0, range.1);
        Some(Position { partition, begin, range })
    };
    let partitions = partitions.iter().copied().map(position).collect::<Option<_>>().ok_or_else(missing)?;
    Ok(Positions { topic_id: described.id, partitions })
}

/// Whether the group has committed everything that is on the topic now: whoever begins, begins at its ends.
///
/// # Errors
/// As [`of`].
pub async fn is_drained(kafka: &Kafka, consumer: &Consumes, topic: &str) -> Result<bool, AgentError> {
    let described = kafka.describe_topic(topic).await?.ok_or_else(|| AgentError::TopicMissing(topic.to_owned()))?;
    let all: Vec<i32> = (0..described.partitions).collect();
    let positions = of(kafka, consumer, topic, &all).await?;
    Ok(positions.partitions.iter().all(|position| position.begin.at == position.range.1))
}

/// What the group has committed, with its metadata.
async fn committed(
    consumer: &Consumes,
    topic: &str,
    partitions: &[i32],
) -> Result<BTreeMap<i32, (i64, String)>, AgentError> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(topic, *partition);
    }
    let consumer = Arc::clone(consumer);
    off_thread(move || {
        let list = consumer.committed_offsets(list, TIMEOUT)?;
        let read = list.elements().into_iter().filter_map(|element| match element.offset() {
            Offset::Offset(offset) => Some((element.partition(), (offset, element.metadata().to_owned()))),
            _ => None,
        });
        Ok(read.collect())
    })
    .await
}

/// Waits for librdkafka on no thread of the runtime.
///
/// # Errors
/// Those of librdkafka.
pub async fn off_thread<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, ClientError> + Send + 'static,
) -> Result<T, AgentError> {
    let answer = tokio::task::spawn_blocking(ask).await;
    Ok(answer.map_err(|panic| KafkaError::Settings(panic.to_string()))??)
}
