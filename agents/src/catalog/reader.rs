//! Holding the whole catalog, and following it.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use lifestream_envelope::backoff;
use lifestream_envelope::kafka::Kafka;
use lifestream_envelope::outage::Outage;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Catalog;
use super::topic::{Came, Reached, Reading, ends, receive, take};
use crate::AgentError;

/// How often it is asked whether the topic is still the same one.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// What has been written is read within this time, or something is wrong.
const CATCH_UP: Duration = Duration::from_secs(20);

/// The whole topic, read to its end and then followed until this is dropped.
pub struct Reader {
    catalog: Arc<RwLock<Catalog>>,
    reached: watch::Receiver<Reached>,
    kafka: Kafka,
    look: Arc<Notify>,
    _following: DropGuard,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("reached", &*self.reached.borrow()).finish_non_exhaustive()
    }
}

impl Reader {
    /// Returns once everything that is on the topic now has been read; what comes later is followed in the background.
    /// `group` is not joined and nothing is committed: the name is for brokers that allow a client certain groups only.
    ///
    /// # Errors
    /// The topic is missing, or Kafka does not answer.
    pub async fn start(kafka: &Kafka, group: &str) -> Result<Self, AgentError> {
        let mut reading = Reading::open(kafka, group).await?;
        tracing::debug!(tags = reading.catalog.len(), "the catalog is read");
        let catalog = Arc::new(RwLock::new(std::mem::take(&mut reading.catalog)));
        let (told, reached) = watch::channel(reading.reached.clone());
        let stop = CancellationToken::new();
        let look = Arc::new(Notify::new());
        let follower = Follower {
            kafka: kafka.clone(),
            group: group.to_owned(),
            catalog: Arc::clone(&catalog),
            told,
            look: Arc::clone(&look),
        };
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = follower.follow(reading) => {}
            }
        });
        Ok(Self { catalog, reached, kafka: kafka.clone(), look, _following: stop.drop_guard() })
    }

    /// The catalog as it is now. Not to be held while waiting for anything.
    pub fn catalog(&self) -> RwLockReadGuard<'_, Catalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all that is in the topic now has been read.
    ///
    /// # Errors
    /// Kafka is away, or nothing comes.
    pub async fn current(&self) -> Result<(), AgentError> {
        let (topic_id, ends) = ends(&self.kafka).await?;
        let ends: Vec<i64> = ends.into_iter().map(|(_, high)| high).collect();
        let mut reached = self.reached.clone();
        if reached.borrow().topic_id != topic_id {
            self.look.notify_one();
        }
        let all = reached.wait_for(|reached| reached.topic_id == topic_id && reached.covers(&ends));
        match tokio::time::timeout(CATCH_UP, all).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut).into()),
        }
    }
}

struct Follower {
    kafka: Kafka,
    group: String,
    catalog: Arc<RwLock<Catalog>>,
    told: watch::Sender<Reached>,
    /// Told when somebody has seen that the topic is another one.
    look: Arc<Notify>,
}

impl Follower {
    /// Reads on; where the topic is not the one that was read, reads it anew and only then puts it in place of the old.
    async fn follow(&self, mut reading: Reading) {
        let mut outage = Outage::new("tag catalog");
        loop {
            let why = self.read_on(&reading).await;
            outage.down(&why);
            let mut waits = backoff::forever();
            reading = loop {
                tokio::time::sleep(waits.next().unwrap_or_default()).await;
                match Reading::open(&self.kafka, &self.group).await {
                    Ok(anew) => break anew,
                    Err(error) => outage.down(&error),
                }
            };
            outage.over();
            *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = std::mem::take(&mut reading.catalog);
            self.told.send_replace(reading.reached.clone());
        }
    }

    /// Until something is wrong.
    async fn read_on(&self, reading: &Reading) -> AgentError {
        let mut look = tokio::time::interval(LOOK_AGAIN);
        look.tick().await;
        loop {
            tokio::select! {
                came = receive(&reading.consumer) => match came {
                    Ok(Came::Record(record)) => {
                        take(&mut self.catalog.write().unwrap_or_else(PoisonError::into_inner), &record);
                        self.told.send_modify(|reached| reached.pass(record.partition(), record.offset()));
                    }
                    Ok(Came::End(_) | Came::Nothing) => {}
                    Err(error) => return error.into(),
                },
                _ = look.tick() => if let Some(error) = self.lost(reading).await { return error },
                () = self.look.notified() => if let Some(error) = self.lost(reading).await { return error },
            }
        }
    }

    /// Whether the topic is not the one any more that is being read.
    async fn lost(&self, reading: &Reading) -> Option<AgentError> {
        match ends(&self.kafka).await {
            Ok((topic_id, _)) if topic_id == reading.reached.topic_id => None,
            Ok(_) => Some(KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownTopic).into()),
            Err(error @ AgentError::TopicMissing(_)) => Some(error),
            // Away: what was read still holds.
            Err(error) => {
                tracing::debug!(%error, "looking at the tag catalog");
                None
            }
        }
    }
}
