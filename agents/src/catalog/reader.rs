//! Reads `tags.catalog` to its end, then follows it.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use lifestream_envelope::kafka::{Kafka, Watch};
use lifestream_envelope::topics;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Catalog;
use crate::AgentError;

/// The longest wait for a record, or for the news that there is none, before reading begins anew.
const SILENCE: Duration = Duration::from_secs(30);

/// Holds the whole catalog and keeps it up to date, until it is dropped.
#[derive(Debug)]
pub struct Reader {
    catalog: Arc<RwLock<Catalog>>,
    _follows: DropGuard,
}

impl Reader {
    /// Returns once everything that is on the topic now has been read. `group` is not joined and nothing is committed:
    /// the name is for brokers that allow a client certain groups only.
    ///
    /// # Errors
    /// The topic is missing, or Kafka does not answer.
    pub async fn start(kafka: &Kafka, group: &str) -> Result<Self, AgentError> {
        let topic = kafka.topic(topics::TAGS_CATALOG);
        let partitions =
            kafka.describe_topic(&topic).await?.ok_or_else(|| AgentError::TopicMissing(topic.clone()))?.partitions;
        let mut config = kafka.consumer_config(group);
        config.set("enable.partition.eof", "true");
        let consumer: StreamConsumer<Watch> = config.create_with_context(Watch::default())?;
        let mut assignment = TopicPartitionList::new();
        for partition in 0..partitions {
            assignment.add_partition_offset(&topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&assignment)?;

        let mut next = vec![0; usize::try_from(partitions).unwrap_or_default()];
        let mut catalog = Catalog::default();
        let mut open: BTreeSet<i32> = (0..partitions).collect();
        while !open.is_empty() {
            let silent = KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut);
            match tokio::time::timeout(SILENCE, consumer.recv()).await.unwrap_or(Err(silent)) {
                Ok(record) => take(&mut catalog, &mut next, &record),
                Err(KafkaError::PartitionEOF(partition)) => {
                    open.remove(&partition);
                }
                Err(error) => return Err(error.into()),
            }
        }
        tracing::debug!(tags = catalog.len(), topic, "the catalog is read");

        let catalog = Arc::new(RwLock::new(catalog));
        let stop = CancellationToken::new();
        tokio::spawn(follow(consumer, Arc::clone(&catalog), next, stop.clone()));
        Ok(Self { catalog, _follows: stop.drop_guard() })
    }

    /// The catalog as it is now. Not to be held while waiting for anything.
    pub fn catalog(&self) -> RwLockReadGuard<'_, Catalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn follow(
    consumer: StreamConsumer<Watch>,
    catalog: Arc<RwLock<Catalog>>,
    mut next: Vec<i64>,
    stop: CancellationToken,
) {
    loop {
        let received = tokio::select! {
            received = consumer.recv() => received,
            () = stop.cancelled() => break,
        };
        match received {
            Ok(record) => take(&mut catalog.write().unwrap_or_else(PoisonError::into_inner), &mut next, &record),
            Err(KafkaError::PartitionEOF(_)) => {}
            // librdkafka goes on by itself; what is known stays known meanwhile.
            Err(error) => {
                tracing::debug!(%error, "following tags.catalog");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    // Closing waits for librdkafka, so not on a thread of the runtime.
    if let Err(error) = tokio::task::spawn_blocking(move || drop(consumer)).await {
        tracing::debug!(%error, "closing the reader of tags.catalog");
    }
}

/// `next` is the offset that each partition may go on with: an earlier one means that the topic was made anew, and
/// what the old one held is no longer known.
fn take(catalog: &mut Catalog, next: &mut [i64], record: &BorrowedMessage<'_>) {
    if let Some(next) = usize::try_from(record.partition()).ok().and_then(|partition| next.get_mut(partition)) {
        if record.offset() < *next {
            *catalog = Catalog::default();
        }
        *next = record.offset() + 1;
    }
    if let Err(error) = catalog.apply(record.key(), record.payload()) {
        tracing::warn!(offset = record.offset(), "tags.catalog holds a record that is none of its own: {error}");
    }
}
