//! The start procedure: what every epoch does before it publishes.
//!
//! Lease, then topic, then reconciliation: a marker is written behind everything that earlier epochs sent, the topic
//! is read from the saved offsets up to the markers, and the events found there get their flag. What then lacks its
//! flag is not in the topic. Where the database, the topic or the records are not those that were left, [`origin`] decides
//! whether that can be sorted out here.

mod drained;
mod origin;
pub mod strangers;

use std::sync::Arc;

use lifestream_envelope::kafka::{End, Kafka, Stretch, TopicInfo};
use lifestream_envelope::settings::Settings;
use lifestream_envelope::{channels, failpoint, postgres, topics};
use roaring::RoaringTreemap;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::error::BridgeError;
use crate::findings::{self, Finding};
use crate::fitness;
use crate::lease::{self, LEASE, Previous, Saved};
use crate::liveness;
use crate::parking::Parking;
use crate::reader::Reader;
use crate::saver::Saver;
use crate::sender::{Pace, Sender};
use crate::topic_tail::{self, Found};
use crate::tracker::Tracker;
use crate::unflag;
use crate::watch::Watch;
use origin::{Judgement, Origin, Seen};

/// Of a topic that this database has published nothing to, so many records of each partition are looked at.
const SAMPLE: i64 = 100;

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
    /// Looks at the topic meanwhile.
    pub watch: Watch,
}

/// Runs the start procedure; waits while another bridge holds the lease.
pub async fn procedure(settings: &Settings, kafka: &Kafka, pace: Pace) -> Result<Epoch, BridgeError> {
    let topic = kafka.topic(topics::EVENTS_RAW);
    // A bridge that does not reach Kafka leaves the lease to one that does.
    describe(kafka, &topic).await?;
    let keeper = postgres::connect(&settings.postgres, "bridge").await?;
    fitness::check(&keeper.client).await?;
    let saved = lease::take(&keeper, &holder()).await?;
    let epoch = saved.epoch;
    failpoint!("bridge.leased");
    // Waiting may have taken long: what was true of the database before is no longer.
    let identity = fitness::check(&keeper.client).await?;
    let listener = postgres::connect(&settings.postgres, "bridge").await?;
    // Before the first look: whatever commits after this is announced, whatever committed before is seen.
    listener.client.batch_execute(&format!("LISTEN {}; LISTEN {}", channels::EMITTED, channels::PARKED)).await?;
    let own = vec![backend(&keeper.client).await?, backend(&listener.client).await?];
    // What follows reads as much as an outage left behind: a standby that took over meanwhile would begin again.
    let begun = tokio::select! {
        begun = begin(kafka, pace, &topic, &keeper.client, &identity, saved) => begun,
        fault = lease::keep(&listener.client, epoch) => return Err(fault),
        fault = liveness::lost(&keeper.client, own[0], &listener.client) => return Err(fault),
    };
    if let Err(BridgeError::Halted(_)) = begun {
        lease::give_back(&keeper.client, epoch).await?;
    }
    let (origin, begun) = begun?;
    let Begun { info, tracker, sender, parking, known } = begun;
    let listening = own[1];
    let batch = settings.bridge.batch_size;
    let reader = Reader::new(listener, own, origin.watermark, known, batch, Arc::clone(&tracker)).await?;
    let keeper = Arc::new(keeper.client);
    let deadline = lease::renew(&keeper, epoch).await?.ok_or(BridgeError::Fenced(epoch))?;
    let saver = Saver::new(Arc::clone(&keeper), epoch, deadline, Arc::clone(&tracker)).await?;
    tracing::info!(epoch, topic, partitions = info.partitions, watermark = origin.watermark, "publishing");
    let watch = Watch {
        kafka: kafka.clone(),
        client: Arc::clone(&keeper),
        identity,
        topic: topic.clone(),
        info,
        tracker: Arc::clone(&tracker),
    };
    Ok(Epoch { keeper, reader, listening, sender, saver, tracker, parking, topic, watch })
}

/// What the steps between lease and first look leave.
struct Begun {
    info: TopicInfo,
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
    Saved { epoch, pid, previous }: Saved,
) -> Result<(Origin, Begun), BridgeError> {
    let info = describe(kafka, topic).await?;
    let ends = kafka.offsets(topic, info.partitions).await?;
    // A topic never has fewer partitions than before: this is what a broker says that lags behind.
    if previous.as_ref().is_some_and(|previous| previous.topic_id == info.id && previous.offsets.len() > ends.len()) {
        return Err(BridgeError::TopicChanged(topic.to_owned()));
    }
    let origin = decide(kafka, topic, client, identity, previous, &info, &ends).await?;
    if origin.anew {
        let flags = unflag::all(client).await?;
        tracing::info!(events = flags, topic, "to be published again");
    }

    let tracker = Arc::new(Tracker::new(origin.watermark, vec![0; ends.len()]));
    let sender = Sender::new(kafka, topic.to_owned(), info.partitions, pace, Arc::clone(&tracker))?;
    let (offsets, found) = if origin.reconcile {
        reconcile(kafka, topic, &sender, (epoch, identity), &origin.offsets, &ends).await?
    } else {
        (ends.iter().map(|(_, high)| *high).collect(), Found::default())
    };
    let strangers = strangers::among(client, &found).await?;
    match (strangers.is_empty(), origin.loses) {
        (true, _) => {}
        (false, true) => strangers::lost(client, identity, topic, &strangers).await?,
        (false, false) => {
            let publishers = found.publishers(identity);
            strangers::foreign(client, identity, topic, strangers.len(), &strangers, &publishers).await?;
        }
    }
    if let Some(before) = origin.added {
        keys_move(client, topic, before, &offsets).await?;
    }
    tracker.start_offsets(&offsets);
    Begin { epoch, pid, identity, topic, topic_id: &info.id, offsets: &offsets, found: &found }
        .write(client, &origin)
        .await?;
    findings::over(client, origin.anew).await?;
    failpoint!("bridge.begun");
    let (parking, set_aside) = Parking::load(client, epoch).await?;
    let known = flagged_above(client, origin.watermark).await? | set_aside;
    Ok((origin, Begun { info, tracker, sender, parking, known }))
}

/// Where to begin; an error where a person has to decide, and has not.
async fn decide(
    kafka: &Kafka,
    topic: &str,
    client: &Client,
    identity: &fitness::Identity,
    previous: Option<Previous>,
    info: &TopicInfo,
    ends: &[(i64, i64)],
) -> Result<Origin, BridgeError> {
    let (known, other) = match &previous {
        None => (false, false),
        Some(previous) => (previous.database_identity == identity.database, previous.topic_id != info.id),
    };
    let published = other && any_published(client).await?;
    let stranger =
        if !known && (previous.is_none() || other) { sample(kafka, topic, client, ends).await? } else { None };
    match (Seen { identity, topic, info, ends, published, stranger }).judge(previous) {
        Judgement::Go(origin) => Ok(origin),
        Judgement::Ask(finding, origin) => {
            if !findings::ask(client, &finding).await? {
                return Err(BridgeError::Halted(Box::new(finding)));
            }
            tracing::warn!("going on, as somebody has accepted it: {finding}");
            Ok(origin)
        }
    }
}

async fn any_published(client: &Client) -> Result<bool, BridgeError> {
    const ANY: &str = "SELECT EXISTS (SELECT FROM lifestream.all_events WHERE published_to_kafka)";
    Ok(client.query_one(ANY, &[]).await?.try_get(0)?)
}

/// An event among the last ones of the topic that is not here.
async fn sample(
    kafka: &Kafka,
    topic: &str,
    client: &Client,
    ends: &[(i64, i64)],
) -> Result<Option<String>, BridgeError> {
    let last = |(partition, (low, high)): (i32, &(i64, i64))| Stretch {
        partition,
        from: *low.max(&(high - SAMPLE)),
        to: *high,
    };
    let found = topic_tail::read(kafka, topic, (0..).zip(ends).map(last).collect(), End::Partition).await?;
    let strangers = strangers::among(client, &found).await?;
    Ok(strangers.first().map(|first| format!("event {}", strangers::named(std::slice::from_ref(first)))))
}

/// Partitions were added: before anything is published to them, whoever works is to read the others to their end.
async fn keys_move(client: &Client, topic: &str, before: usize, offsets: &[i64]) -> Result<(), BridgeError> {
    let after = offsets.len();
    tracing::warn!(topic, before, after, "partitions were added: keys move, once consumers have read the old ones");
    let behind = drained::wait(client, topic, &offsets[..before.min(after)]).await?;
    if behind.is_empty() {
        return Ok(());
    }
    let name = findings::PARTITIONS_ADDED;
    let finding = Finding {
        name,
        about: format!("{topic} {after}"),
        found: format!(
            "topic {topic} has {after} partitions, before it had {before}; {} had not read those to their end, and may see events of a \
             subject whose key moved out of order",
            behind.join(", ")
        ),
        remedy: format!(
            "nothing is lost; where a projection of yours depends on the order, `lifestream rebuild` it; then SELECT lifestream.accept_finding('{name}')"
        ),
    };
    findings::report(client, &finding).await
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

/// Marks the end of what earlier epochs sent, and collects the events from `offsets` up to there.
async fn reconcile(
    kafka: &Kafka,
    topic: &str,
    sender: &Sender,
    (epoch, identity): (i64, &fitness::Identity),
    offsets: &[i64],
    ends: &[(i64, i64)],
) -> Result<(Vec<i64>, Found), BridgeError> {
    let database = identity.named();
    let mut stretches = Vec::with_capacity(ends.len());
    for (partition, from) in (0..).zip(offsets) {
        // All that was appended before lies below, even what an offset query did not show yet.
        let to = sender.mark(partition, epoch, &database).await?;
        stretches.push(Stretch { partition, from: *from, to });
    }
    failpoint!("bridge.marked");
    let after = stretches.iter().map(|s| s.to + 1).collect();
    let found = topic_tail::read(kafka, topic, stretches, End::Record).await?;
    failpoint!("bridge.read_back");
    Ok((after, found))
}

/// The numbers above the watermark that have their flag. A page at a time: whoever asks whether the connection lives gets in between.
async fn flagged_above(client: &Client, watermark: i64) -> Result<RoaringTreemap, BridgeError> {
    const PAGE: i64 = 100_000;
    const FLAGGED: &str =
        "SELECT seq FROM lifestream.events WHERE seq > $1 AND published_to_kafka ORDER BY seq LIMIT $2";
    let (mut from, mut numbers) = (watermark, RoaringTreemap::new());
    loop {
        let rows = client.query(FLAGGED, &[&from, &PAGE]).await?;
        for row in &rows {
            from = row.try_get(0)?;
            numbers.insert(from.cast_unsigned());
        }
        if rows.is_empty() {
            return Ok(numbers);
        }
    }
}

/// So many flags are set by one statement of the start procedure: a small part of the lease.
const FLIPS: usize = 1_000;

/// The write that begins an epoch: flags of what was found, and the row that later saves update.
struct Begin<'a> {
    epoch: i64,
    pid: i32,
    identity: &'a fitness::Identity,
    topic: &'a str,
    topic_id: &'a str,
    offsets: &'a [i64],
    found: &'a Found,
}

impl Begin<'_> {
    async fn write(&self, client: &Client, origin: &Origin) -> Result<(), BridgeError> {
        let found: Vec<Uuid> = self.found.events.keys().copied().collect();
        let flipped = self.flip(client, &found).await?;
        // Offsets in the old Kafka: consumers begin anew, and know by its id what they have taken in. Named only where they go, for it
        // takes a lock that a rebuild holds while it compares.
        let forget = if origin.anew {
            ", forgotten AS (DELETE FROM lifestream.kafka_offsets WHERE EXISTS (SELECT FROM mine)), \
               forgotten_too AS (DELETE FROM lifestream.consumer_progress WHERE EXISTS (SELECT FROM mine))"
        } else {
            ""
        };
        client
            .query_opt(
                &format!("WITH mine AS ( \
                     INSERT INTO lifestream.bridge_progress AS p (epoch, holder, holder_pid, lease_until, database_identity, \
                         timeline, watermark, high, topic, topic_id, offsets, closed, saved_at) \
                     VALUES ($1, $2, $11, \
                         pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $3), \
                         $4, $5, $6, $7, $8, $9, $10, false, pg_catalog.clock_timestamp()) \
                     ON CONFLICT (only_row) DO UPDATE SET lease_until = excluded.lease_until, \
                         database_identity = excluded.database_identity, timeline = excluded.timeline, \
                         watermark = excluded.watermark, high = excluded.high, topic = excluded.topic, \
                         topic_id = excluded.topic_id, offsets = excluded.offsets, closed = false, saved_at = excluded.saved_at \
                     WHERE p.epoch = excluded.epoch RETURNING 1){forget} SELECT FROM mine"
                ),
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
                    &self.pid,
                ],
            )
            .await?
            .ok_or(BridgeError::Fenced(self.epoch))?;
        if flipped > 0 {
            tracing::info!(events = flipped, "an earlier epoch had published these without saving that it did");
        }
        Ok(())
    }

    /// Flags what was found, and gives how many had no flag.
    ///
    /// Some at a time, and before the row is written: the row carries the lease, which nobody could renew meanwhile. A crash in
    /// between leaves flags that are true, and the offsets from which the next start reads the rest.
    async fn flip(&self, client: &Client, found: &[Uuid]) -> Result<i64, BridgeError> {
        const FLIP: &str = "WITH flipped AS (UPDATE lifestream.events e SET published_to_kafka = true \
                 WHERE e.id = ANY ($2) AND NOT e.published_to_kafka \
                   AND EXISTS (SELECT FROM lifestream.bridge_progress WHERE epoch = $1) RETURNING 1) \
             SELECT count(*) FROM flipped";
        let mut flipped = 0;
        for some in found.chunks(FLIPS) {
            let row = client.query_one(FLIP, &[&self.epoch, &some]).await?;
            flipped += row.try_get::<_, i64>(0)?;
        }
        Ok(flipped)
    }
}
