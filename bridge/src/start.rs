//! The start procedure: what every epoch does before it publishes.
//!
//! Lease, then topic, then reconciliation: a marker is written behind everything that earlier epochs sent, the topic
//! is read from the saved offsets up to the markers, and the events found there get their flag. What then lacks its
//! flag is not in the topic.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;

use futures_util::TryStreamExt;
use lifestream_envelope::kafka::{Kafka, TopicInfo};
use lifestream_envelope::settings::Settings;
use lifestream_envelope::{channels, failpoint, postgres, topics};
use roaring::RoaringTreemap;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::error::BridgeError;
use crate::fitness;
use crate::lease::{self, LEASE, Previous, Saved};
use crate::liveness;
use crate::parking::Parking;
use crate::reader::Reader;
use crate::saver::Saver;
use crate::sender::{Pace, Sender};
use crate::topic_tail::{Stretch, event_ids};
use crate::tracker::Tracker;

/// Everything that an epoch works with.
pub struct Epoch {
    /// For statements beside reading; its session holds the lease.
    pub keeper: Arc<Client>,
    /// Finds what is to be published.
    pub reader: Reader,
    /// The server process that the reader talks to.
    pub listening: i32,
    /// Publishes.
    pub sender: Sender,
    /// Flips flags.
    pub saver: Saver,
    /// What the three of them share.
    pub tracker: Arc<Tracker>,
    /// Subjects that are held back.
    pub parking: Parking,
    /// The topic's name, with its prefix.
    pub topic: String,
}

/// Where to read from, in database and topic.
struct Origin {
    watermark: i64,
    high: i64,
    /// For each partition, the offset from which on our records may lack their flag.
    offsets: Vec<i64>,
    /// Whether any can.
    reconcile: bool,
}

/// Runs the start procedure; waits while another bridge holds the lease.
pub async fn procedure(settings: &Settings, kafka: &Kafka, pace: Pace) -> Result<Epoch, BridgeError> {
    let topic = kafka.topic(topics::EVENTS_RAW);
    // A bridge that does not reach Kafka leaves the lease to one that does.
    describe(kafka, &topic).await?;
    let keeper = postgres::connect(&settings.postgres, "bridge").await?;
    fitness::check(&keeper.client).await?;
    let Saved { epoch, previous } = lease::take(&keeper, &holder()).await?;
    failpoint!("bridge.leased");
    // Waiting may have taken long: what was true of the database before is no longer.
    let identity = fitness::check(&keeper.client).await?;
    let listener = postgres::connect(&settings.postgres, "bridge").await?;
    // Before the first look: whatever commits after this is announced, whatever committed before is seen.
    listener.client.batch_execute(&format!("LISTEN {}; LISTEN {}", channels::EMITTED, channels::PARKED)).await?;
    let own = vec![backend(&keeper.client).await?, backend(&listener.client).await?];
    // What follows reads as much as an outage left behind: a standby that took over meanwhile would begin again.
    let (origin, begun) = tokio::select! {
        begun = begin(kafka, pace, &topic, &keeper.client, &identity, epoch, previous) => begun?,
        fault = lease::keep(&listener.client, epoch) => return Err(fault),
        fault = liveness::lost(&keeper.client, own[0], &listener.client) => return Err(fault),
    };
    let Begun { partitions, tracker, sender, parking, known } = begun;
    let listening = own[1];
    let batch = settings.bridge.batch_size;
    let reader = Reader::new(listener, own, origin.watermark, known, batch, Arc::clone(&tracker)).await?;
    let keeper = Arc::new(keeper.client);
    let deadline = lease::renew(&keeper, epoch).await?.ok_or(BridgeError::Fenced(epoch))?;
    let saver = Saver::new(Arc::clone(&keeper), epoch, deadline, Arc::clone(&tracker)).await?;
    tracing::info!(epoch, topic, partitions, watermark = origin.watermark, "publishing");
    Ok(Epoch { keeper, reader, listening, sender, saver, tracker, parking, topic })
}

/// What the steps between lease and first look leave.
struct Begun {
    partitions: i32,
    tracker: Arc<Tracker>,
    sender: Sender,
    parking: Parking,
    known: RoaringTreemap,
}

/// Reconciles with the topic, and writes the row of the new epoch.
async fn begin(
    kafka: &Kafka,
    pace: Pace,
    topic: &str,
    client: &Client,
    identity: &fitness::Identity,
    epoch: i64,
    previous: Option<Previous>,
) -> Result<(Origin, Begun), BridgeError> {
    let info = describe(kafka, topic).await?;
    let ends = kafka.offsets(topic, info.partitions).await?;
    let origin = origin(previous, identity, topic, &info, &ends);

    let tracker = Arc::new(Tracker::new(origin.watermark, vec![0; ends.len()]));
    let sender = Sender::new(kafka, topic.to_owned(), pace, Arc::clone(&tracker))?;
    let (offsets, found) = if origin.reconcile {
        reconcile(kafka, topic, &sender, epoch, &origin.offsets, &ends).await?
    } else {
        (ends.iter().map(|(_, high)| *high).collect(), HashSet::new())
    };
    tracker.start_offsets(&offsets);
    Begin { epoch, identity, topic, topic_id: &info.id, offsets: &offsets, found: &found }
        .write(client, &origin)
        .await?;
    failpoint!("bridge.begun");
    let (parking, set_aside) = Parking::load(client, epoch).await?;
    let known = flagged_above(client, origin.watermark).await? | set_aside;
    Ok((origin, Begun { partitions: info.partitions, tracker, sender, parking, known }))
}

async fn describe(kafka: &Kafka, topic: &str) -> Result<TopicInfo, BridgeError> {
    kafka.describe_topic(topic).await?.ok_or_else(|| BridgeError::TopicMissing(topic.to_owned()))
}

async fn backend(client: &Client) -> Result<i32, BridgeError> {
    Ok(client.query_one("SELECT pg_catalog.pg_backend_pid()", &[]).await?.try_get(0)?)
}

fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", host.trim(), std::process::id())
}

/// Compares what was saved with what is there. Where they disagree it says so, and takes the side on which an event
/// may be published twice, never the one on which it is lost.
fn origin(
    previous: Option<Previous>,
    identity: &fitness::Identity,
    topic: &str,
    info: &TopicInfo,
    ends: &[(i64, i64)],
) -> Origin {
    let at_the_end = ends.iter().map(|(_, high)| *high).collect();
    let Some(previous) = previous else {
        return Origin { watermark: 0, high: 0, offsets: at_the_end, reconcile: false };
    };
    let (mut watermark, mut high) = (previous.watermark, previous.high);
    if previous.database_identity != identity.database {
        tracing::warn!(
            was = previous.database_identity,
            is = identity.database,
            "this database was restored or copied from another: every event without its flag will be published"
        );
        (watermark, high) = (0, identity.last_seq);
    } else if previous.timeline != identity.timeline {
        tracing::warn!(
            was = previous.timeline,
            is = identity.timeline,
            "PostgreSQL was promoted or recovered since: events that the old primary published and this one lacks cannot be undone"
        );
        watermark = 0;
    }
    if identity.last_seq < high {
        tracing::warn!(
            known = high,
            sequence = identity.last_seq,
            "the sequence of lifestream.events stands below a number that was published: looking for unflagged events from the beginning"
        );
        (watermark, high) = (0, identity.last_seq);
    }
    if previous.topic_id != info.id {
        tracing::error!(
            topic,
            was = format!("{} {}", previous.topic, previous.topic_id),
            is = info.id,
            "this is not the topic that was published to: it was made anew, or KAFKA_BROKERS or KAFKA_TOPIC_PREFIX changed. \
             Events that have their flag are in the old one only; to publish them again, run `lifestream reset`"
        );
        return Origin { watermark, high, offsets: at_the_end, reconcile: false };
    }
    let mut offsets = previous.offsets;
    // Partitions that were added since may hold records of ours from their first one on.
    offsets.resize(ends.len(), 0);
    // Closed, yet not the end of the topic: a crash, a promotion or a copy brought back the row of an older epoch, and
    // what was published since lacks its flag. (Or somebody else writes to the topic, which costs a reading.)
    let mut reconcile = !previous.closed || offsets.iter().zip(ends).any(|(saved, (_, high))| saved != high);
    for (partition, (saved, (low, high))) in offsets.iter_mut().zip(ends).enumerate() {
        if *saved > *high {
            tracing::error!(
                topic,
                partition,
                saved = *saved,
                end = *high,
                "the topic has lost records: its end lies before what was published. What they held is in lifestream.events; `lifestream reset` publishes all of it again"
            );
            *saved = *low;
            reconcile = true;
        } else if *saved < *low {
            if reconcile {
                tracing::error!(
                    topic,
                    partition,
                    saved = *saved,
                    begin = *low,
                    "records were deleted before their flags were saved: events among them may be published twice"
                );
            }
            *saved = *low;
        }
    }
    Origin { watermark, high, offsets, reconcile }
}

/// Marks the end of what earlier epochs sent, and collects the events from `offsets` up to there.
async fn reconcile(
    kafka: &Kafka,
    topic: &str,
    sender: &Sender,
    epoch: i64,
    offsets: &[i64],
    ends: &[(i64, i64)],
) -> Result<(Vec<i64>, HashSet<Uuid>), BridgeError> {
    let mut stretches = Vec::with_capacity(ends.len());
    for (partition, from) in (0..).zip(offsets) {
        // All that was appended before lies below, even what an offset query did not show yet.
        let to = sender.mark(partition, epoch).await?;
        stretches.push(Stretch { partition, from: *from, to });
    }
    failpoint!("bridge.marked");
    let after = stretches.iter().map(|s| s.to + 1).collect();
    let (kafka, topic) = (kafka.clone(), topic.to_owned());
    let found = tokio::task::spawn_blocking(move || event_ids(&kafka, &topic, &stretches))
        .await
        .map_err(|panic| BridgeError::Unfit(format!("reading the topic back: {panic}")))??;
    failpoint!("bridge.read_back");
    Ok((after, found))
}

/// The numbers above the watermark that have their flag.
async fn flagged_above(client: &Client, watermark: i64) -> Result<RoaringTreemap, BridgeError> {
    let rows = client
        .query_raw(
            "SELECT seq FROM lifestream.events WHERE seq > $1 AND published_to_kafka ORDER BY seq",
            &[&watermark],
        )
        .await?;
    let (mut rows, mut numbers) = (pin!(rows), RoaringTreemap::new());
    while let Some(row) = rows.try_next().await? {
        numbers.insert(row.try_get::<_, i64>(0)?.cast_unsigned());
    }
    Ok(numbers)
}

/// So many flags are set by one statement of the start procedure: a small part of the lease.
const FLIPS: usize = 1_000;

/// The write that begins an epoch: flags of what was found, and the row that later saves update.
struct Begin<'a> {
    epoch: i64,
    identity: &'a fitness::Identity,
    topic: &'a str,
    topic_id: &'a str,
    offsets: &'a [i64],
    found: &'a HashSet<Uuid>,
}

impl Begin<'_> {
    async fn write(&self, client: &Client, origin: &Origin) -> Result<(), BridgeError> {
        let found: Vec<Uuid> = self.found.iter().copied().collect();
        let (flipped, present) = self.flip(client, &found).await?;
        client
            .query_opt(
                "WITH mine AS ( \
                     INSERT INTO lifestream.bridge_progress AS p (epoch, holder, holder_pid, lease_until, database_identity, \
                         timeline, watermark, high, topic, topic_id, offsets, closed, saved_at) \
                     VALUES ($1, $2, pg_catalog.pg_backend_pid(), \
                         pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $3), \
                         $4, $5, $6, $7, $8, $9, $10, false, pg_catalog.clock_timestamp()) \
                     ON CONFLICT (only_row) DO UPDATE SET lease_until = excluded.lease_until, \
                         database_identity = excluded.database_identity, timeline = excluded.timeline, \
                         watermark = excluded.watermark, high = excluded.high, topic = excluded.topic, \
                         topic_id = excluded.topic_id, offsets = excluded.offsets, closed = false, saved_at = excluded.saved_at \
                     WHERE p.epoch = excluded.epoch RETURNING 1) \
                 SELECT FROM mine",
                &[
                    &self.epoch,
                    &holder(),
                    &LEASE.as_secs_f64(),
                    &self.identity.database,
                    &self.identity.timeline,
                    &origin.watermark,
                    &origin.high,
                    &self.topic,
                    &self.topic_id,
                    &self.offsets,
                ],
            )
            .await?
            .ok_or(BridgeError::Fenced(self.epoch))?;
        if flipped > 0 {
            tracing::info!(events = flipped, "an earlier epoch had published these without saving that it did");
        }
        let foreign = found.len().saturating_sub(usize::try_from(present).unwrap_or(0));
        if foreign > 0 {
            tracing::error!(
                events = foreign,
                "the topic holds events that this database does not have: another database publishes to it, or this one lost commits"
            );
        }
        Ok(())
    }

    /// Flags what was found, and gives how many that were and how many are here at all.
    ///
    /// Some at a time, and before the row is written: the row carries the lease, which nobody could renew meanwhile. A crash in
    /// between leaves flags that are true, and the offsets from which the next start reads the rest.
    async fn flip(&self, client: &Client, found: &[Uuid]) -> Result<(i64, i64), BridgeError> {
        const FLIP: &str = "WITH flipped AS (UPDATE lifestream.events e SET published_to_kafka = true \
                 WHERE e.id = ANY ($2) AND NOT e.published_to_kafka \
                   AND EXISTS (SELECT FROM lifestream.bridge_progress WHERE epoch = $1) RETURNING 1) \
             SELECT (SELECT count(*) FROM flipped), (SELECT count(*) FROM lifestream.events WHERE id = ANY ($2))";
        let (mut flipped, mut present) = (0, 0);
        for some in found.chunks(FLIPS) {
            let row = client.query_one(FLIP, &[&self.epoch, &some]).await?;
            flipped += row.try_get::<_, i64>(0)?;
            present += row.try_get::<_, i64>(1)?;
        }
        Ok((flipped, present))
    }
}

#[cfg(test)]
mod tests {
    use lifestream_envelope::kafka::TopicInfo;

    use super::*;

    fn start(offsets: &[i64], closed: bool, ends: &[(i64, i64)]) -> Origin {
        let previous = Previous {
            database_identity: "d".into(),
            timeline: 1,
            watermark: 7,
            high: 9,
            topic: "events.raw".into(),
            topic_id: "t".into(),
            offsets: offsets.to_vec(),
            closed,
        };
        let identity = fitness::Identity { database: "d".into(), timeline: 1, last_seq: 9 };
        let partitions = i32::try_from(ends.len()).unwrap_or(0);
        let info = TopicInfo { id: "t".into(), partitions };
        origin(Some(previous), &identity, "events.raw", &info, ends)
    }

    #[test]
    fn a_topic_that_ends_where_the_last_epoch_closed_is_not_read_back() {
        assert!(!start(&[5, 6], true, &[(0, 5), (2, 6)]).reconcile);
        // A new partition that nobody wrote to.
        assert!(!start(&[5], true, &[(0, 5), (0, 0)]).reconcile);
        assert!(start(&[5, 6], false, &[(0, 5), (2, 6)]).reconcile);
    }

    #[test]
    fn a_topic_that_goes_on_behind_a_closed_epoch_is_read_back() {
        let origin = start(&[5, 6], true, &[(0, 5), (2, 8)]);
        assert!(origin.reconcile);
        assert_eq!(origin.offsets, [5, 6]);
        assert_eq!((origin.watermark, origin.high), (7, 9));
    }

    #[test]
    fn a_topic_that_lost_its_end_is_read_from_its_first_record() {
        let origin = start(&[9], true, &[(2, 8)]);
        assert!(origin.reconcile);
        assert_eq!(origin.offsets, [2]);
    }
}
