//! Looking around now and then: whether the topic is still the same, and whether all is done.

use std::time::Instant;

use lifestream_envelope::Until;

use super::super::error::MaterializerError;
use super::{LOOK_AGAIN, Member};
use crate::claim;

impl Member<'_> {
    /// Every few seconds: is the topic still the same, are projections and parked subjects as they were read?
    pub(super) async fn look_again(&mut self) {
        if self.looked.elapsed() < LOOK_AGAIN {
            return;
        }
        self.looked = Instant::now();
        if !self.ready {
            return;
        }
        if let Err(error) = self.refresh(true, true).await {
            return self.stumble(&error);
        }
        if !self.stopped.is_empty() || self.is_held_back().await || !self.is_same_topic().await {
            self.unsettle();
        }
    }

    /// Whether its database turned out meanwhile to be one that nothing may be consumed for; getting ready then says so.
    async fn is_held_back(&self) -> bool {
        let Some(store) = self.store.as_ref() else { return false };
        matches!(claim::held_back(store.client()).await, Ok(Some(_)))
    }

    async fn is_same_topic(&self) -> bool {
        let (Some(store), Ok(topic)) = (self.store.as_ref(), self.kafka.describe_topic(&self.topic).await) else {
            // Kafka does not answer: nothing is known to have changed.
            return true;
        };
        match (topic, store.stored().await) {
            (Some(topic), Ok(stored)) => {
                stored.iter().all(|row| row.topic_id.as_ref().is_none_or(|known| *known == topic.id))
            }
            (None, _) => false,
            (_, Err(_)) => true,
        }
    }

    /// Whether every partition is applied to its end, where the member is to leave then. Counts the whole topic, for
    /// partitions of a member that died come to this one only after a while.
    pub(super) async fn is_done(&mut self) -> Result<bool, MaterializerError> {
        if self.until != Until::Idle || !self.ready || self.deciding {
            return Ok(false);
        }
        if !self.stopped.is_empty() {
            return Err(MaterializerError::Stopped(self.stopped.join("; ")));
        }
        let Some(store) = self.store.as_ref() else { return Ok(false) };
        let asked = async {
            let topic = self.kafka.describe_topic(&self.topic).await?;
            let topic = topic.ok_or_else(|| MaterializerError::TopicMissing(self.topic.clone()))?;
            let ends = self.kafka.offsets(&self.topic, topic.partitions).await?;
            let stored = store.stored().await?;
            Ok::<_, MaterializerError>((0..).zip(ends).all(|(partition, (low, high))| {
                low == high || stored.iter().any(|row| row.partition == partition && row.next >= high)
            }))
        };
        match asked.await {
            Ok(done) => Ok(done),
            Err(error) => {
                self.stumble(&error);
                Ok(false)
            }
        }
    }
}
