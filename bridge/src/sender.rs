//! The producer, and what becomes of each message.

use std::sync::Arc;
use std::time::Duration;

use lifestream_envelope::event::EventRow;
use lifestream_envelope::failpoint;
use lifestream_envelope::headers;
use lifestream_envelope::kafka::{Kafka, partition};
use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, ProducerContext, ThreadedProducer};
use roaring::RoaringTreemap;
use tokio::sync::oneshot;

use crate::error::BridgeError;
use crate::tracker::{Sent, Tracker};

/// librdkafka gives a message up after this. It must end before the lease does: a process that was stopped and goes
/// on after another took over must not send what it had queued.
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(8);
/// The epoch is ended when the oldest message waits longer than this, so that the time-out above never decides.
pub const STALLED: Duration = Duration::from_secs(4);
/// Bytes that may be unacknowledged: enough for any broker's round trip, and what bounds the process's memory.
pub const BYTES_IN_FLIGHT: usize = 16 << 20;
/// What librdkafka keeps for a message beside its value, key and headers.
const MESSAGE_OVERHEAD: usize = 512;

/// What comes back with a delivery report.
pub enum Parcel {
    /// An event of the outbox.
    Event(Sent),
    /// A record of the start procedure; its offset goes to whoever waits for it.
    Marker(oneshot::Sender<Result<i64, KafkaError>>),
}

struct Deliveries {
    tracker: Arc<Tracker>,
    pace: Pace,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // Broker connections come and go; what matters shows in the delivery reports. A fatal one ends the epoch.
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        if matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::Fatal)) {
            self.tracker.fail(BridgeError::Delivery(error));
        }
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Parcel>;

    fn delivery(&self, result: &DeliveryResult<'_>, parcel: Box<Parcel>) {
        match (*parcel, result) {
            (Parcel::Event(sent), Ok(message)) => {
                failpoint!("bridge.delivered");
                self.tracker.acknowledged(&sent, message.partition(), message.offset());
                failpoint!("bridge.acknowledged");
            }
            (Parcel::Event(sent), Err((error, _))) => match classify(sent.seq, error) {
                BridgeError::Refused { reason, .. } if self.pace == Pace::OneByOne => {
                    self.tracker.refused(&sent, reason);
                }
                fault => {
                    self.tracker.fail(fault);
                    self.tracker.unsent(&sent);
                }
            },
            (Parcel::Marker(waiting), Ok(message)) => drop(waiting.send(Ok(message.offset()))),
            (Parcel::Marker(waiting), Err((error, _))) => drop(waiting.send(Err(error.clone()))),
        }
    }
}

/// Tells a message that no retry helps from a broker that is away.
fn classify(seq: u64, error: &KafkaError) -> BridgeError {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(
            Code::MessageSizeTooLarge
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::PolicyViolation
            | Code::UnsupportedForMessageFormat,
        ) => BridgeError::Refused { seq, reason: error.to_string() },
        _ => BridgeError::Delivery(error.clone()),
    }
}

/// Sends events to one topic; one for each epoch.
///
/// Dropping it purges what is queued: the next epoch finds out what went out, and sends the rest.
pub struct Sender {
    producer: ThreadedProducer<Deliveries, NoCustomPartitioner>,
    tracker: Arc<Tracker>,
    topic: String,
    /// As many as there were when the epoch began: none of its keys moves.
    partitions: i32,
    value: Vec<u8>,
}

/// How a refused message is dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Many in flight; a refusal stops the producer, so that nothing of its subject goes out behind it.
    Pipelined,
    /// One in flight, to find out which message it is that Kafka refuses.
    OneByOne,
}

impl Sender {
    /// Connects lazily, as librdkafka does.
    pub fn new(
        kafka: &Kafka,
        topic: String,
        partitions: i32,
        pace: Pace,
        tracker: Arc<Tracker>,
    ) -> Result<Self, BridgeError> {
        let mut config = kafka.producer_config();
        config
            .set("message.timeout.ms", MESSAGE_TIMEOUT.as_millis().to_string())
            // A message that fails for good must not let later ones of its batch overtake it.
            .set("enable.gapless.guarantee", (pace == Pace::Pipelined).to_string())
            // The broker decides what is too large for its topic.
            .set("message.max.bytes", (32 << 20).to_string())
            // The bound on bytes in flight is kept by the tracker; these must only never be the first to bite.
            .set("queue.buffering.max.messages", "10000000")
            .set("queue.buffering.max.kbytes", (4 * BYTES_IN_FLIGHT / 1024).to_string());
        for (name, value) in [("linger.ms", "0"), ("batch.num.messages", "100000")] {
            if config.get(name).is_none() {
                config.set(name, value);
            }
        }
        let producer =
            ThreadedProducer::from_config_and_context(&config, Deliveries { tracker: Arc::clone(&tracker), pace })
                .map_err(|error| {
                    BridgeError::Unfit(format!("Kafka client settings: {error} (KAFKA_PROPERTY_… may hold it)"))
                })?;
        Ok(Self { producer, tracker, topic, partitions, value: Vec::with_capacity(4096) })
    }

    /// Waits until there is room for one more message and the lease allows it, or the epoch is over.
    pub async fn room(&self) {
        self.until(|tracker| tracker.bytes_in_flight() < BYTES_IN_FLIGHT && tracker.may_send()).await;
    }

    /// Waits until nothing is in flight, or the epoch is over.
    pub async fn emptied(&self) {
        self.until(|tracker| tracker.in_flight() == 0).await;
    }

    /// Waits until these events have their flags, or the epoch is over.
    pub async fn settled(&self, seqs: &RoaringTreemap) {
        self.until(|tracker| tracker.is_settled(seqs)).await;
    }

    async fn until(&self, reached: impl Fn(&Tracker) -> bool) {
        while !reached(&self.tracker) && !self.tracker.has_failed() {
            self.tracker.room.notified().await;
        }
    }

    /// Hands an event to librdkafka, which copies it.
    ///
    /// # Errors
    /// `Refused` if no broker could ever take it, `Delivery` if the producer cannot go on.
    pub fn send(&mut self, row: &EventRow<'_>) -> Result<(), BridgeError> {
        self.value.clear();
        row.write_value(&mut self.value);
        let seq = row.seq.cast_unsigned();
        // The headers repeat the names and ids of the value, which the overhead covers, and the event's own.
        let bytes = self.value.len() + row.subject_id.len() + row.headers.len() + MESSAGE_OVERHEAD;
        let parcel = Box::new(Parcel::Event(self.tracker.sending(seq, bytes)));
        let record = BaseRecord::with_opaque_to(&self.topic, parcel)
            .partition(partition::of_key(row.subject_id.as_bytes(), self.partitions))
            .key(row.subject_id.as_bytes())
            .payload(self.value.as_slice())
            .headers(row.kafka_headers());
        failpoint!("bridge.sending");
        let sent = self.producer.send(record);
        failpoint!("bridge.sent");
        sent.map_err(|(error, record)| {
            if let Parcel::Event(sent) = *record.delivery_opaque {
                self.tracker.unsent(&sent);
            }
            classify(seq, &error)
        })
    }

    /// Writes a marker record to a partition and returns its offset: all that was appended before lies below.
    ///
    /// `database` says whose it is, should another database read it.
    pub async fn mark(&self, partition: i32, epoch: i64, database: &str) -> Result<i64, BridgeError> {
        let (acknowledged, offset) = oneshot::channel();
        let epoch = epoch.to_string();
        let value = format!(r#"{{"lifestream_marker":{epoch}}}"#);
        let record: BaseRecord<'_, [u8], [u8], _> =
            BaseRecord::with_opaque_to(&self.topic, Box::new(Parcel::Marker(acknowledged)))
                .partition(partition)
                .payload(value.as_bytes())
                .headers(
                    OwnedHeaders::new()
                        .insert(Header { key: headers::MARKER, value: Some(&epoch) })
                        .insert(Header { key: headers::DATABASE, value: Some(database) }),
                );
        self.producer.send(record).map_err(|(error, _)| BridgeError::Delivery(error))?;
        match offset.await {
            Ok(result) => result.map_err(BridgeError::Delivery),
            Err(_) => Err(BridgeError::Delivery(KafkaError::Canceled)),
        }
    }
}
