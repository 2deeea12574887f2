//! `lifestream verify`: what was emitted, held against Kafka and the state.
//!
//! The database's own view is the function `lifestream.verify`. The topic is read beside it: the events of the range that have
//! their flag, in one snapshot, are looked for up to the topic's end at a later moment, so that none of them can still be on
//! its way. Memory: about 20 octets an event of the range, and as much a subject.

mod emitted;
mod topic;

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{Context, bail};
use jiff::Timestamp;
use lifestream_envelope::kafka::{Kafka, Stretch, TopicInfo};
use lifestream_envelope::settings::Settings;
use lifestream_envelope::topics;
use serde::Serialize;
use tokio_postgres::{Client, IsolationLevel, Transaction};
use uuid::Uuid;

use crate::cli::VerifyOptions;
use crate::database;
use crate::exit::Outcome;
use crate::output;
use crate::table::{or_dash, table};
use emitted::Emitted;
use topic::Reading;

/// How many ids a finding names, as `lifestream.verify` does.
const NAMED: usize = 1000;
/// How many of them are printed for people.
const PRINTED: usize = 10;
/// An event is in Kafka after it was received, by clocks that may differ by a day.
const CLOCKS_DIFFER_MS: i64 = 25 * 3600 * 1000;

/// One finding: a row of `lifestream.verify`, or one about the topic.
#[derive(Debug, Serialize)]
struct Finding {
    finding: String,
    consumer_group: Option<String>,
    events: i64,
    /// The first 1,000, where events are named.
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<Vec<Uuid>>,
}

/// Findings that are as they should be, or known: what is parked or discarded waits for nobody, or for a person.
const SOUND: &[&str] =
    &["emitted", "published", "on Kafka", "no longer on Kafka", "materialized", "parked", "discarded"];

/// The range, as the database reads it.
struct Range {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl Range {
    async fn read(client: &Client, options: &VerifyOptions) -> anyhow::Result<Self> {
        let row = client
            .query_one("SELECT $1::text::timestamptz, $2::text::timestamptz", &[&options.from, &options.to])
            .await
            .context("--from and --to")?;
        Ok(Self { from: row.try_get(0)?, to: row.try_get(1)? })
    }

    fn contains(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }
}

/// Verifies, and prints what it found.
pub async fn run(settings: &Settings, options: &VerifyOptions) -> anyhow::Result<Outcome> {
    let mut session = database::connect(settings, "verify").await?;
    let kafka = database::kafka(settings).await?;
    let name = kafka.topic(topics::EVENTS_RAW);
    let Some(info) = kafka.describe_topic(&name).await? else {
        bail!("topic {name} does not exist: run `lifestream init` (KAFKA_BROKERS and KAFKA_TOPIC_PREFIX say where)");
    };
    let range = Arc::new(Range::read(&session.client, options).await?);
    let snapshot = session
        .client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let mut findings = ask(&snapshot, &range).await?;
    let emitted = Emitted::load(&snapshot, &range).await?;
    findings.extend(look(&kafka, &name, &info, &snapshot, &range, emitted).await?);
    snapshot.commit().await?;
    print(&findings, options.json)?;
    let is_sound = findings.iter().all(|finding| SOUND.contains(&finding.finding.as_str()));
    Ok(if is_sound { Outcome::Done } else { Outcome::Look })
}

/// What the database knows by itself.
async fn ask(snapshot: &Transaction<'_>, range: &Range) -> anyhow::Result<Vec<Finding>> {
    let rows = snapshot
        .query("SELECT finding, consumer_group, events, ids FROM lifestream.verify($1, $2)", &[&range.from, &range.to])
        .await
        .context("lifestream.verify")?;
    let finding = |row: &tokio_postgres::Row| -> Result<Finding, tokio_postgres::Error> {
        Ok(Finding {
            finding: row.try_get(0)?,
            consumer_group: row.try_get(1)?,
            events: row.try_get(2)?,
            ids: row.try_get(3)?,
        })
    };
    rows.iter().map(|row| finding(row).map_err(Into::into)).collect()
}

/// What the topic says.
async fn look(
    kafka: &Kafka,
    name: &str,
    info: &TopicInfo,
    snapshot: &Transaction<'_>,
    range: &Arc<Range>,
    emitted: Emitted,
) -> anyhow::Result<Vec<Finding>> {
    // After the snapshot: what has its flag in it lies below these ends.
    let ends = kafka.offsets(name, info.partitions).await?;
    let since = match range.from {
        Some(from) => kafka.offsets_since(name, info.partitions, from.as_millisecond() - CLOCKS_DIFFER_MS).await?,
        None => vec![Some(0); ends.len()],
    };
    let stretches: Vec<Stretch> = (0..)
        .zip(ends.iter().zip(since))
        .map(|(partition, ((low, high), since))| Stretch {
            partition,
            from: since.map_or(*high, |at| at.max(*low)),
            to: *high,
        })
        .collect();
    let (sender, mut unknown) = tokio::sync::mpsc::channel(2);
    let reading = {
        let (kafka, name, range) = (kafka.clone(), name.to_owned(), Arc::clone(range));
        tokio::task::spawn_blocking(move || Reading::new(emitted, range, sender).read(&kafka, &name, &stretches))
    };
    let mut foreign = Named::default();
    while let Some(ids) = unknown.recv().await {
        for id in absent(snapshot, &ids).await? {
            foreign.add(id);
        }
    }
    let seen = reading.await??;

    let lows: Vec<i64> = ends.iter().map(|(low, _)| *low).collect();
    let (mut missing, mut expired) = (Vec::new(), 0);
    for chunk in seen.emitted.missing().chunks(50_000) {
        let gone = emitted::expired(snapshot, name, &lows, chunk).await?;
        expired += gone.len();
        missing.extend(chunk.iter().filter(|seq| !gone.contains(seq)));
    }
    let named = emitted::ids(snapshot, missing.get(..NAMED).unwrap_or(&missing)).await?;
    let finding = |finding: &str, events: usize, ids: Option<Vec<Uuid>>| Finding {
        finding: finding.to_owned(),
        consumer_group: None,
        events: i64::try_from(events).unwrap_or(i64::MAX),
        ids,
    };
    let mut findings = vec![finding("on Kafka", seen.found, None)];
    let all = [
        ("no longer on Kafka", expired, None),
        ("not on Kafka", missing.len(), Some(named)),
        ("only on Kafka", foreign.count, Some(foreign.ids)),
        ("sent twice", seen.twice.count, Some(seen.twice.ids)),
        ("out of order on Kafka", seen.reordered.count, Some(seen.reordered.ids)),
    ];
    findings.extend(all.into_iter().filter(|(_, count, _)| *count > 0).map(|(name, n, ids)| finding(name, n, ids)));
    Ok(findings)
}

/// Of these, the ids that the database does not know.
async fn absent(snapshot: &Transaction<'_>, ids: &[Uuid]) -> anyhow::Result<Vec<Uuid>> {
    let rows = snapshot.query("SELECT id FROM lifestream.all_events WHERE id = ANY ($1)", &[&ids]).await?;
    let known = rows.iter().map(|row| row.try_get(0)).collect::<Result<HashSet<Uuid>, _>>()?;
    Ok(ids.iter().filter(|id| !known.contains(id)).copied().collect())
}

/// A count, and the first ids that it counts.
#[derive(Debug, Default)]
struct Named {
    count: usize,
    ids: Vec<Uuid>,
}

impl Named {
    fn add(&mut self, id: Uuid) {
        self.count += 1;
        if self.ids.len() < NAMED {
            self.ids.push(id);
        }
    }
}

fn print(findings: &[Finding], as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return output::line(serde_json::to_string_pretty(findings)?);
    }
    let rows =
        findings.iter().map(|f| vec![f.finding.clone(), or_dash(f.consumer_group.as_deref()), f.events.to_string()]);
    output::line(table(&["FINDING", "GROUP", "EVENTS"], &[2], rows))?;
    for finding in findings.iter().filter(|finding| finding.ids.is_some()) {
        let ids = finding.ids.as_deref().unwrap_or_default();
        let group = finding.consumer_group.as_ref().map(|group| format!(" ({group})")).unwrap_or_default();
        output::line(format!("\n{}{group}:", finding.finding))?;
        for id in ids.iter().take(PRINTED) {
            output::line(format!("  {id}"))?;
        }
        let more = usize::try_from(finding.events)?.saturating_sub(PRINTED);
        if more > 0 {
            output::line(format!("  and {more} more (--json names the first {NAMED})"))?;
        }
    }
    Ok(())
}
