//! Sending a batch to Kafka, and waiting until all of it is acknowledged.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lifestream_envelope::kafka::Kafka;
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

/// What becomes of a batch's messages.
#[derive(Default)]
struct Batch {
    left: AtomicUsize,
    refused: Mutex<Vec<Refusal>>,
    failed: Mutex<Option<KafkaError>>,
    done: Notify,
}

impl Batch {
    fn settle(&self, number: usize, error: Option<&KafkaError>) {
        match error {
            None => {}
            Some(error) if is_refusal(error) => {
                let refusal = Refusal { number, reason: error.to_string() };
                self.refused.lock().unwrap_or_else(PoisonError::into_inner).push(refusal);
            }
            Some(error) => {
                self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.clone());
            }
        }
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }
}

/// Whether no retry helps: the message's own fault.
fn is_refusal(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::MessageSizeTooLarge
                | Code::InvalidMessage
                | Code::InvalidMessageSize
                | Code::InvalidRecord
                | Code::PolicyViolation
        )
    )
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

    /// Sends all, in order, and waits for the last acknowledgement. Gives what Kafka refuses for good.
    ///
    /// # Errors
    /// Some may have been sent and some not: the batch is to be sent again, by another producer.
    pub async fn send(&self, messages: &[Outgoing]) -> Result<Vec<Refusal>, AgentError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        // One more than there are, so that it does not end before the last is handed over.
        let batch = Arc::new(Batch { left: AtomicUsize::new(messages.len() + 1), ..Batch::default() });
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
        if let Some(error) = batch.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error.into());
        }
        let mut refused = std::mem::take(&mut *batch.refused.lock().unwrap_or_else(PoisonError::into_inner));
        refused.sort_by_key(|refusal| refusal.number);
        Ok(refused)
    }
}
