//! Sending a batch to Kafka, and waiting until all of it is acknowledged.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lifestream_envelope::kafka::{Kafka, code};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, OwnedHeaders};
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, ProducerContext, ThreadedProducer};
use tokio::sync::Notify;

use crate::AgentError;

/// A message that is not acknowledged within this time is given up, and its batch tried again.
const MESSAGE_TIMEOUT_MS: &str = "20000";

/// A message to send.
#[derive(Debug)]
pub struct Outgoing {
    /// Topic, with the prefix.
    pub topic: Arc<str>,
    /// What decides the partition.
    pub key: String,
    /// None is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers.
    pub headers: OwnedHeaders,
}

/// A message that Kafka will never take.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its place in the batch.
    pub number: usize,
    /// Kafka's words.
    pub reason: String,
}

/// What became of a batch's messages: those that are not named here are acknowledged.
#[derive(Debug, Default)]
pub struct Sent {
    /// What Kafka refuses for good.
    pub refused: Vec<Refusal>,
    /// Places of those that may have arrived or not: to be sent again, by another producer.
    pub left: Vec<usize>,
    /// Why some are left, if so.
    pub failed: Option<KafkaError>,
}

impl Sent {
    /// What Kafka refuses for good, where nothing is left.
    ///
    /// # Errors
    /// Why something is left.
    pub fn all(self) -> Result<Vec<Refusal>, AgentError> {
        match self.failed {
            Some(error) => Err(error.into()),
            None => Ok(self.refused),
        }
    }
}

/// A batch that is on its way.
#[derive(Default)]
struct Batch {
    open: AtomicUsize,
    sent: Mutex<Sent>,
    done: Notify,
}

impl Batch {
    fn settle(&self, number: usize, error: Option<&KafkaError>) {
        if let Some(error) = error {
            let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            if is_refusal(error) {
                sent.refused.push(Refusal { number, reason: words(error) });
            } else {
                sent.left.push(number);
                sent.failed.get_or_insert_with(|| error.clone());
            }
        }
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }
}

/// Whether no retry helps: the message's own fault, or its topic is not ours to write.
fn is_refusal(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code(error),
        Some(
            Code::MessageSizeTooLarge
                | Code::InvalidMessage
                | Code::InvalidMessageSize
                | Code::InvalidRecord
                | Code::PolicyViolation
                | Code::InvalidTopic
                | Code::TopicAuthorizationFailed
        )
    )
}

/// What Kafka answered, and what to look at where its answer does not say.
pub fn words(error: &KafkaError) -> String {
    use RDKafkaErrorCode as Code;
    let advice = match code(error) {
        Some(Code::InvalidTopic) => {
            "; with KAFKA_TOPIC_PREFIX a name has at most 249 characters, and differs from every other topic's by more than . and _"
        }
        Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => {
            "; the account needs Describe, Create and Write on it"
        }
        _ => "",
    };
    format!("{error}{advice}")
}

struct Deliveries;

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // What matters shows in the delivery reports.
        tracing::debug!(target: "librdkafka", %error, "{reason}");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<(Arc<Batch>, usize)>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Self::DeliveryOpaque) {
        sent.0.settle(sent.1, result.as_ref().err().map(|(error, _)| error));
    }
}

/// Sends batches: order kept, acknowledged by every replica in sync.
pub struct Producer {
    inner: ThreadedProducer<Deliveries, NoCustomPartitioner>,
}

impl Producer {
    /// Connects when it is first needed.
    ///
    /// # Errors
    /// A setting that librdkafka refuses.
    pub fn new(kafka: &Kafka) -> Result<Self, AgentError> {
        let mut config = kafka.producer_config();
        config
            .set("message.timeout.ms", MESSAGE_TIMEOUT_MS)
            // The broker decides what is too large for its topic.
            .set("message.max.bytes", (32 << 20).to_string())
            // Batches bound what waits; these must only never be the first to bite.
            .set("queue.buffering.max.messages", "1000000")
            .set("queue.buffering.max.kbytes", (256 << 10).to_string());
        for (name, value) in [("linger.ms", "0"), ("batch.num.messages", "100000")] {
            if config.get(name).is_none() {
                config.set(name, value);
            }
        }
        Ok(Self { inner: config.create_with_context(Deliveries)? })
    }

    /// Sends all, in order, and waits until each is acknowledged, refused or given up.
    pub async fn send(&self, messages: &[Outgoing]) -> Sent {
        if messages.is_empty() {
            return Sent::default();
        }
        // One more than there are, so that it does not end before the last is handed over.
        let batch = Arc::new(Batch { open: AtomicUsize::new(messages.len() + 1), ..Batch::default() });
        for (number, message) in messages.iter().enumerate() {
            let opaque = Box::new((Arc::clone(&batch), number));
            let mut record: BaseRecord<'_, str, [u8], _> = BaseRecord::with_opaque_to(&message.topic, opaque)
                .key(message.key.as_str())
                .headers(message.headers.clone());
            if let Some(value) = &message.value {
                record = record.payload(value.as_slice());
            }
            if let Err((error, _)) = self.inner.send(record) {
                batch.settle(number, Some(&error));
            }
        }
        batch.settle(messages.len(), None);
        batch.done.notified().await;
        std::mem::take(&mut *batch.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_retry_helps_is_told_from_what_will_pass() {
        use RDKafkaErrorCode as Code;
        for (code, refused) in [
            (Code::MessageSizeTooLarge, true),
            (Code::TopicAuthorizationFailed, true),
            (Code::InvalidTopic, true),
            // The topic was deleted: it is made again.
            (Code::UnknownTopicOrPartition, false),
            (Code::MessageTimedOut, false),
            (Code::NotEnoughReplicas, false),
            (Code::LeaderNotAvailable, false),
            // Of the account as a whole: no message is to blame.
            (Code::ClusterAuthorizationFailed, false),
        ] {
            assert_eq!(is_refusal(&KafkaError::MessageProduction(code)), refused, "{code:?}");
        }
    }
}
