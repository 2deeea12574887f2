//! Getting ready: the connection, what is stored, where to begin, and fetching from there.

use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::super::error::MaterializerError;
use super::super::parking::Held;
use super::super::positions::Positions;
use super::super::projections::Plan;
use super::super::start::{self, Start};
use super::super::store::Store;
use super::Member;
use crate::claim;
use crate::consumer::Reports;

impl Member<'_> {
    /// The connection, to a database for which something may be consumed.
    pub(super) async fn connect(&mut self) -> Result<&mut Store, MaterializerError> {
        let store = match self.store.take() {
            Some(store) if !store.client().is_closed() => store,
            _ => Store::open(&self.settings.postgres, &self.group, &self.topic).await?,
        };
        match claim::held_back(store.client()).await? {
            Some(reason) => Err(MaterializerError::HeldBack(reason)),
            None => Ok(self.store.insert(store)),
        }
    }

    pub(super) async fn settle(&mut self, consumer: &StreamConsumer<Reports>) -> Result<(), MaterializerError> {
        let assigned = self.assigned.clone().unwrap_or_default();
        self.connect().await?;
        let Some(store) = self.store.as_mut() else { return Err(MaterializerError::Overtaken) };
        if store.plan.is_outdated(&store.session.client).await? {
            store.plan = Plan::load(&store.session.client).await?;
        }
        self.held = Held::load(store.client(), &self.group).await?;
        // Stored offsets before Kafka's ends: the ends only grow meanwhile.
        let stored = store.stored().await?;
        let topic = self.kafka.describe_topic(&self.topic).await?;
        let topic = topic.ok_or_else(|| MaterializerError::TopicMissing(self.topic.clone()))?;
        let ends = self.kafka.offsets(&self.topic, topic.partitions).await?;
        let (mut positions, mut stopped) = (Positions::default(), Vec::new());
        for partition in assigned {
            let Some((low, high)) = usize::try_from(partition).ok().and_then(|at| ends.get(at)).copied() else {
                return Err(MaterializerError::Overtaken);
            };
            let known = stored.iter().find(|stored| stored.partition == partition);
            match start::of(&self.topic, &topic.id, partition, known, low, high) {
                Start::Fresh { at } => {
                    if at > 0 {
                        tracing::warn!(
                            topic = self.topic,
                            partition,
                            offset = at,
                            "first record that is left: `lifestream rebuild all` applies the events before it"
                        );
                    }
                    store.begin_partition(partition, at, &topic.id).await?;
                    positions.set(partition, at);
                }
                Start::Resume { at } => {
                    if known.is_some_and(start::is_over) {
                        store.note(partition, at, at, None).await?;
                    }
                    positions.set(partition, at);
                }
                Start::PassOver { stored, at, note } => {
                    tracing::error!(topic = self.topic, partition, stored, low, "{note}");
                    store.note(partition, stored, at, Some(&note)).await?;
                    positions.set(partition, at);
                }
                Start::Stop { stored, note } => {
                    if !self.stopped.contains(&note) {
                        tracing::error!(topic = self.topic, partition, stored, low, high, "{note}");
                    }
                    store.note(partition, stored, stored, Some(&note)).await?;
                    stopped.push(note);
                }
            }
        }
        let mut fetch = TopicPartitionList::new();
        for (partition, next) in positions.iter() {
            fetch.add_partition_offset(&self.topic, partition, Offset::Offset(next))?;
        }
        consumer.assign(&fetch)?;
        self.broker.over();
        tracing::debug!(?positions, "fetching");
        self.positions = positions;
        self.stopped = stopped;
        Ok(())
    }
}
