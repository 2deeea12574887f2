//! Looks at the topic while an epoch publishes: that it is the same one, and that nobody else writes to it.

use std::sync::Arc;
use std::time::Duration;

use lifestream_envelope::kafka::{End, Kafka, Stretch, TopicInfo};
use tokio_postgres::Client;

use crate::error::BridgeError;
use crate::fitness::Identity;
use crate::start::strangers;
use crate::topic_tail;
use crate::tracker::Tracker;

/// How often. A topic that was deleted and made again takes our records as if nothing had happened.
const LOOK: Duration = Duration::from_secs(3);
/// Of records that are not ours no more than this are read in one look.
const MOST_RECORDS: i64 = 1_000;

/// What is looked at.
pub struct Watch {
    /// The cluster.
    pub kafka: Kafka,
    /// For what is found.
    pub client: Arc<Client>,
    /// Which database this is.
    pub identity: Identity,
    /// The topic's name, with its prefix.
    pub topic: String,
    /// The topic as it was when the epoch began.
    pub info: TopicInfo,
    /// Where our own records end.
    pub tracker: Arc<Tracker>,
}

impl Watch {
    /// Looks until the topic is not what it was, which ends the epoch: the next start procedure judges it.
    pub async fn run(self) {
        let (mut cut_off, mut foreign, mut unread) = (false, 0, Vec::new());
        loop {
            tokio::time::sleep(LOOK).await;
            match self.look(&mut cut_off, &mut foreign, &mut unread).await {
                Ok(()) => {}
                // Kafka or PostgreSQL being away is noticed by those who need them.
                Err(BridgeError::Kafka(error)) if !error.is_permanent() => {
                    tracing::debug!(%error, "looking at the topic")
                }
                Err(BridgeError::Delivery(error)) => tracing::debug!(%error, "looking at the topic"),
                Err(fault) => return self.tracker.fail(fault),
            }
        }
    }

    /// `unread`: for each partition, where others may have written that nobody has looked at yet; kept until it has been.
    async fn look(
        &self,
        cut_off: &mut bool,
        foreign: &mut usize,
        unread: &mut Vec<Stretch>,
    ) -> Result<(), BridgeError> {
        // Before the topic's ends: those only grow meanwhile.
        let ours = self.tracker.offsets();
        let info = self.kafka.describe_topic(&self.topic).await?;
        let info = info.ok_or_else(|| BridgeError::TopicMissing(self.topic.clone()))?;
        if info != self.info {
            return Err(BridgeError::TopicChanged(self.topic.clone()));
        }
        let ends = self.kafka.offsets(&self.topic, info.partitions).await?;
        // Twice in a row: a new leader may tell an end that lags behind.
        let is_cut_off = ours.iter().zip(&ends).any(|(ours, (_, high))| ours > high);
        if is_cut_off && std::mem::replace(cut_off, true) {
            return Err(BridgeError::TopicChanged(self.topic.clone()));
        }
        *cut_off = is_cut_off;
        let mut gaps = self.tracker.take_gaps();
        for ((partition, from), (_, high)) in (0..).zip(&ours).zip(&ends) {
            if high > from && self.tracker.step_over(partition, *from, *high) {
                gaps.push(Stretch { partition, from: *from, to: *high });
            }
        }
        for gap in gaps {
            match unread.iter_mut().find(|known| known.partition == gap.partition) {
                Some(known) => (known.from, known.to) = (known.from.min(gap.from), known.to.max(gap.to)),
                None => unread.push(gap),
            }
        }
        for stretch in unread.iter_mut() {
            stretch.from = stretch.from.max(stretch.to - MOST_RECORDS);
        }
        if unread.is_empty() {
            return Ok(());
        }
        let found = topic_tail::read(&self.kafka, &self.topic, unread.clone(), End::Partition).await?;
        let strangers = strangers::among(&self.client, &found).await?;
        unread.clear();
        if strangers.is_empty() {
            return Ok(());
        }
        *foreign += strangers.len();
        let publishers = found.publishers(&self.identity);
        strangers::foreign(&self.client, &self.identity, &self.topic, *foreign, &strangers, &publishers).await
    }
}
