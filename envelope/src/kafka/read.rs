//! Reading stretches of a topic to their ends, beside any consumer group.

use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::Offset;

use super::{Kafka, KafkaError, Watch};

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

/// When a stretch is read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// When its last record is: one that is sure to be there, whatever a broker says of the partition's end.
    Record,
    /// Or when the partition is. What lies before it may be no record that consumers see (the end of somebody's transaction).
    Partition,
}

impl Kafka {
    /// Hands every record of these stretches of a topic (its name with the prefix) to `each`, in order within a partition.
    /// `name` stands for the reader in the brokers' logs. Blocks: to be called off the async threads.
    ///
    /// # Errors
    /// When the topic cannot be read to the end of each stretch.
    pub fn read(
        &self,
        name: &str,
        topic: &str,
        stretches: &[Stretch],
        end: End,
        mut each: impl FnMut(&BorrowedMessage<'_>),
    ) -> Result<(), KafkaError> {
        let failed = |error| KafkaError::Request { what: format!("reading topic {topic}"), error };
        let mut open: Vec<Stretch> = stretches.iter().copied().filter(|s| s.from < s.to).collect();
        if open.is_empty() {
            return Ok(());
        }
        // The group only satisfies librdkafka: partitions are assigned by hand and nothing is committed.
        let mut config = self.consumer_config(name);
        config.set("enable.partition.eof", (end == End::Partition).to_string()).set("fetch.wait.max.ms", "20");
        // Ours are in no transaction: somebody else's open one must not hide them.
        config.set("isolation.level", "read_uncommitted").set("queued.max.messages.kbytes", "16384");
        let consumer: BaseConsumer<Watch> = config.create_with_context(Watch::default()).map_err(failed)?;
        let mut assignment = TopicPartitionList::new();
        for stretch in &open {
            assignment.add_partition_offset(topic, stretch.partition, Offset::Offset(stretch.from)).map_err(failed)?;
        }
        consumer.assign(&assignment).map_err(failed)?;
        let mut heard = Instant::now();
        while !open.is_empty() {
            // Only what is still to be read counts: a partition that is done may go on talking.
            let is_silent = heard.elapsed() > PATIENCE;
            let message = match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => message,
                Some(Err(ClientError::PartitionEOF(partition))) if open.iter().any(|s| s.partition == partition) => {
                    heard = Instant::now();
                    open.retain(|s| s.partition != partition);
                    continue;
                }
                // Brokers come and go; silence decides.
                Some(Err(error)) if is_silent => return Err(failed(error)),
                None if is_silent => return Err(failed(ClientError::NoMessageReceived)),
                Some(Err(_)) | None => continue,
            };
            let Some(i) = open.iter().position(|s| s.partition == message.partition()) else {
                if is_silent {
                    return Err(failed(ClientError::NoMessageReceived));
                }
                continue;
            };
            heard = Instant::now();
            if message.offset() < open[i].to {
                each(&message);
            }
            if message.offset() + 1 >= open[i].to {
                open.swap_remove(i);
            }
        }
        Ok(())
    }
}
