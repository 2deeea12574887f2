//! Keeping the tag catalog: when it is compared with the tags that links have.
//!
//! The member that has partition 0 writes. It compares once tags that events brought have been materialized, and every
//! minute; seldom enough that comparing never takes more than a small part of the time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lifestream_envelope::kafka::Kafka;
use lifestream_envelope::outage::Outage;
use lifestream_envelope::{backoff, topics};
use tokio_util::sync::CancellationToken;

use crate::catalog::Writer;
use crate::producer::Producer;
use crate::{AgentError, Database};

/// How often it is asked whether there is something to compare.
const LOOK: Duration = Duration::from_millis(250);
/// The longest time between two comparisons.
const MOST: Duration = Duration::from_secs(60);
/// Of the time, comparing takes at most one part in so many.
const SHARE: u32 = 20;

const MATERIALIZED: &str =
    "SELECT partition, max(\"offset\") FROM lifestream.kafka_offsets WHERE topic = $1 GROUP BY partition";

/// Offsets by partition.
type Offsets = BTreeMap<i32, i64>;

/// What the router knows of events that concern tags.
#[derive(Debug, Default)]
pub struct Seen {
    /// The partitions of `events.raw` that this member has.
    assigned: Vec<i32>,
    /// Of each partition the last record that concerns tags.
    tags: Offsets,
}

impl Seen {
    /// The group has given this member its partitions.
    pub fn assigned(&mut self, partitions: &[i32]) {
        self.assigned = partitions.to_vec();
    }

    /// Records that concern tags were routed.
    pub fn tags(&mut self, offsets: &Offsets) {
        for (partition, offset) in offsets {
            let last = self.tags.entry(*partition).or_insert(*offset);
            *last = (*last).max(*offset);
        }
    }

    /// Whether this member writes.
    fn writes(&self) -> bool {
        self.assigned.contains(&0)
    }

    /// Whether something that may concern tags has been materialized since the last comparison. What another member
    /// routes is not seen here: of its partitions anything counts.
    fn is_due(&self, compared: &Offsets, materialized: &Offsets) -> bool {
        materialized.iter().any(|(partition, at)| {
            let before = compared.get(partition).copied().unwrap_or(0);
            let seen = self.tags.get(partition).is_some_and(|last| *last >= before);
            *at != before && (seen || !self.assigned.contains(partition))
        })
    }
}

/// Writes the catalog while this member has partition 0.
pub struct Keeper {
    kafka: Kafka,
    group: String,
    database: Arc<Database>,
    seen: Arc<Mutex<Seen>>,
    writer: Option<(Writer, Producer)>,
    compared: Offsets,
    last: Instant,
    cost: Duration,
}

impl Keeper {
    /// Connects when it is first needed.
    pub fn new(kafka: &Kafka, group: &str, database: &Arc<Database>, seen: &Arc<Mutex<Seen>>) -> Self {
        Self {
            kafka: kafka.clone(),
            group: group.to_owned(),
            database: Arc::clone(database),
            seen: Arc::clone(seen),
            writer: None,
            compared: Offsets::new(),
            last: Instant::now(),
            cost: Duration::ZERO,
        }
    }

    /// Brings the catalog to what is materialized now, if this member writes it.
    ///
    /// # Errors
    /// As Kafka and the database have it.
    pub async fn compare(&mut self) -> Result<(), AgentError> {
        if !self.seen.lock().unwrap_or_else(PoisonError::into_inner).writes() {
            self.writer = None;
            return Ok(());
        }
        // Before the tags are read: what comes in between is compared once more.
        let materialized = self.materialized().await?;
        let started = Instant::now();
        let (writer, producer) = match self.writer.take() {
            Some(ready) => self.writer.insert(ready),
            None => {
                let ready = (Writer::open(&self.kafka, &self.group).await?, Producer::new(&self.kafka)?);
                self.writer.insert(ready)
            }
        };
        let client = self.database.client().await?;
        let written = writer.write(&client, producer).await;
        self.last = Instant::now();
        self.cost = self.last - started;
        match written {
            Ok(written) => {
                tracing::debug!(written, "tag catalog compared");
                self.compared = materialized;
                Ok(())
            }
            Err(error) => {
                self.writer = None;
                Err(error)
            }
        }
    }

    async fn look(&mut self) -> Result<(), AgentError> {
        if !self.seen.lock().unwrap_or_else(PoisonError::into_inner).writes() {
            self.writer = None;
            return Ok(());
        }
        if self.writer.is_none() || self.last.elapsed() > MOST {
            return self.compare().await;
        }
        if self.last.elapsed() < self.cost * SHARE {
            return Ok(());
        }
        let materialized = self.materialized().await?;
        let due = self.seen.lock().unwrap_or_else(PoisonError::into_inner).is_due(&self.compared, &materialized);
        if due { self.compare().await } else { Ok(()) }
    }

    async fn materialized(&self) -> Result<Offsets, AgentError> {
        let client = self.database.client().await?;
        let rows = client.query(MATERIALIZED, &[&self.kafka.topic(topics::EVENTS_RAW)]).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }
}

/// Looks until `shutdown`; Kafka or Postgres being away is waited out.
pub async fn keep(keeper: Arc<tokio::sync::Mutex<Keeper>>, shutdown: CancellationToken) {
    let mut outage = Outage::new("router: tag catalog");
    let mut waits = backoff::forever();
    loop {
        let looked = tokio::select! {
            looked = async { keeper.lock().await.look().await } => looked,
            () = shutdown.cancelled() => return,
        };
        let wait = match looked {
            Ok(()) => {
                outage.over();
                waits = backoff::forever();
                LOOK
            }
            Err(error) => {
                outage.down(&error);
                waits.next().unwrap_or_default()
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_once_what_concerns_tags_is_materialized() {
        let mut seen = Seen::default();
        seen.assigned(&[0, 1]);
        let at = |offsets: &[(i32, i64)]| offsets.iter().copied().collect::<Offsets>();
        assert!(!seen.is_due(&at(&[]), &at(&[(0, 9), (1, 9)])));
        seen.tags(&at(&[(1, 7)]));
        seen.tags(&at(&[(1, 3)]));
        assert!(seen.is_due(&at(&[(0, 9), (1, 2)]), &at(&[(0, 9), (1, 5)])));
        assert!(seen.is_due(&at(&[(0, 9), (1, 5)]), &at(&[(0, 9), (1, 8)])));
        assert!(!seen.is_due(&at(&[(0, 9), (1, 5)]), &at(&[(0, 9), (1, 5)])), "nothing new was materialized");
        assert!(!seen.is_due(&at(&[(0, 9), (1, 8)]), &at(&[(0, 9), (1, 20)])), "nothing new concerns tags");
        assert!(seen.is_due(&at(&[(2, 4)]), &at(&[(2, 5)])), "another member's partition");
        assert!(seen.writes());
        seen.assigned(&[1]);
        assert!(!seen.writes());
    }
}
