//! The Kafka consumer: member of a group, but never fetching by itself.
//!
//! What the group assigns is only reported, and whoever asked decides where to begin. The materializer reads that in
//! Postgres; for router and agents it is the offset that their group has committed in Kafka ([`Member`]).

mod begin;
mod member;
mod offsets;
mod positions;
mod progress;

pub use member::{Member, MemberEvent};
pub use offsets::Offsets;
pub use progress::Progress;

use std::sync::{Arc, Mutex};

use lifestream_envelope::kafka::Kafka;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What the group or the client has to say.
#[derive(Debug)]
pub enum ConsumerEvent {
    /// These partitions of the topic are this member's from now on.
    Assigned(Vec<i32>),
    /// None is.
    Revoked {
        /// The group has given them to others meanwhile: this member was away for too long.
        lost: bool,
    },
    /// Committed offsets have not reached Kafka.
    Uncommitted,
    /// Something does not work; librdkafka itself tries again.
    Trouble(String),
}

/// Reports rebalances and errors.
pub struct Reports {
    news: UnboundedSender<ConsumerEvent>,
    /// What is committed once more before partitions are given back; none where offsets live elsewhere.
    last: Option<Arc<Mutex<Offsets>>>,
}

impl Reports {
    fn tell(&self, news: ConsumerEvent) {
        // The member is gone while the consumer closes: nobody needs to know any more.
        let _ = self.news.send(news);
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
        // One broker's connection ends for many reasons and is made again; and the reason counts milliseconds, so that
        // it would be another trouble each time.
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::BrokerTransportFailure) | None => {}
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                self.tell(ConsumerEvent::Trouble("no broker can be reached (KAFKA_BROKERS)".to_owned()));
            }
            Some(code) => self.tell(ConsumerEvent::Trouble(code.to_string())),
        }
    }
}

impl ConsumerContext for Reports {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, err: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let (done, news) = match err {
            // Nothing is fetched until the member knows where to begin; the group does not wait for that.
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => (
                consumer.assign(&TopicPartitionList::new()),
                ConsumerEvent::Assigned(partitions.elements().iter().map(|partition| partition.partition()).collect()),
            ),
            _ => {
                let lost = consumer.assignment_lost();
                if let Some(last) = self.last.as_ref().filter(|_| !lost) {
                    let last = offsets::lock(last).to_commit();
                    // Its request goes out before that to join again: who comes next begins behind what is done.
                    let committed = last.map(|list| consumer.commit(&list, CommitMode::Async));
                    tracing::debug!(?committed, "before partitions go");
                }
                (consumer.unassign(), ConsumerEvent::Revoked { lost })
            }
        };
        if let Err(error) = done {
            tracing::debug!(%error, ?news, "answering a rebalance");
        }
        self.tell(news);
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "committing offsets");
            self.tell(ConsumerEvent::Uncommitted);
        }
    }
}

/// The consumer and what it has to say.
pub type Subscribed = (StreamConsumer<Reports>, UnboundedReceiver<ConsumerEvent>);

/// Joins the group (its name without prefix) for a topic (its name with the prefix). Of `last` is committed what is done
/// before partitions are given back.
///
/// # Errors
/// A setting that librdkafka refuses.
pub fn subscribe(
    kafka: &Kafka,
    group: &str,
    topic: &str,
    last: Option<Arc<Mutex<Offsets>>>,
) -> Result<Subscribed, KafkaError> {
    let mut config = kafka.consumer_config(group);
    // Whole assignments, which the member gives offsets to. (Cooperative ones would come in pieces.)
    config.set("group.protocol", "classic").set("partition.assignment.strategy", "range");
    config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
    // An offset that is not there any more is looked into, never passed over by itself.
    config.set("auto.offset.reset", "error");
    // A backlog is fetched as fast as it is applied; the default would wait a second whenever the queue is full.
    config.set("fetch.queue.backoff.ms", "5").set("queued.max.messages.kbytes", "16384");
    // librdkafka wants no session to be longer than the time between two polls.
    let given = |name: &str| config.get(name).and_then(|millis| millis.parse::<u32>().ok());
    let session = given("session.timeout.ms").unwrap_or(10_000).min(given("max.poll.interval.ms").unwrap_or(u32::MAX));
    config.set("session.timeout.ms", session.to_string()).set("heartbeat.interval.ms", (session / 5).to_string());
    // A topic that is made, and a broker that comes back, while the member waits is seen soon.
    config.set("topic.metadata.refresh.interval.ms", "10000").set("reconnect.backoff.max.ms", "1000");
    let (news, receiver) = unbounded_channel();
    let consumer: StreamConsumer<Reports> = config.create_with_context(Reports { news, last })?;
    consumer.subscribe(&[topic])?;
    Ok((consumer, receiver))
}

/// Leaves the group. Closing waits for librdkafka, so not on a thread of the runtime.
pub async fn leave(consumer: StreamConsumer<Reports>) {
    if let Err(error) = tokio::task::spawn_blocking(move || drop(consumer)).await {
        tracing::debug!(%error, "closing the consumer");
    }
}
