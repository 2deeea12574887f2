//! Tells people how far a member has come: `lifestream.consumer_progress`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use jiff::Timestamp;
use lifestream_envelope::kafka::Kafka;
use tokio::task::{JoinError, JoinHandle};

use super::Member;
use super::offsets::Standing;
use crate::{AgentError, Database};

const EVERY: Duration = Duration::from_secs(1);

/// Reports about once a second, as long as there is something new. Best effort: the offsets that count are in Kafka.
pub struct Progress {
    kafka: Kafka,
    database: Arc<Database>,
    stage: &'static str,
    group: String,
    told: Instant,
    counts: BTreeMap<i32, u64>,
    rows: BTreeMap<i32, Row>,
    /// Notes that are in the table: somebody may have dealt with them, and they are not said again.
    noted: BTreeMap<i32, String>,
    reporting: Option<JoinHandle<Result<BTreeMap<i32, Row>, AgentError>>>,
}

type Reported = Result<Result<BTreeMap<i32, Row>, AgentError>, JoinError>;

#[derive(Debug, Clone, PartialEq)]
struct Row {
    committed: i64,
    high: i64,
    oldest: Option<i64>,
    rate: f32,
    error: Option<String>,
}

impl Progress {
    /// For a stage (`router`, `fetcher`, …) and its group, named without prefix.
    pub fn new(kafka: &Kafka, database: &Arc<Database>, stage: &'static str, group: &str) -> Self {
        Self {
            kafka: kafka.clone(),
            database: Arc::clone(database),
            stage,
            group: kafka.group(group),
            told: Instant::now(),
            counts: BTreeMap::new(),
            rows: BTreeMap::new(),
            noted: BTreeMap::new(),
            reporting: None,
        }
    }

    /// Begins a report if one is due; to be called now and then.
    pub fn tick(&mut self, member: &Member) {
        let elapsed = self.told.elapsed();
        if elapsed < EVERY || !member.is_ready() || self.reporting.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        self.told = Instant::now();
        self.hear_now();
        let standing = member.standing();
        let rows: BTreeMap<i32, Row> =
            standing.iter().map(|at| (at.partition, self.row(member, at, elapsed))).collect();
        self.counts = standing.iter().map(|at| (at.partition, at.count)).collect();
        let (kafka, database, known) = (self.kafka.clone(), Arc::clone(&self.database), self.rows.clone());
        let (stage, group, topic) = (self.stage, self.group.clone(), member.topic().to_owned());
        self.reporting = Some(tokio::spawn(async move {
            let rows = with_ends(&kafka, &topic, rows).await?;
            let news: Vec<_> = rows.iter().filter(|(at, row)| known.get(at) != Some(row)).collect();
            write(&database, stage, &group, &topic, &news).await?;
            Ok(rows)
        }));
    }

    fn hear_now(&mut self) {
        if let Some(reported) = self.reporting.as_mut().and_then(FutureExt::now_or_never) {
            self.reporting = None;
            self.hear(reported);
        }
    }

    fn hear(&mut self, reported: Reported) {
        match reported {
            Ok(Ok(rows)) => {
                let notes = rows.iter().filter_map(|(at, row)| Some((*at, row.error.clone()?)));
                self.noted.extend(notes);
                self.rows = rows;
            }
            Ok(Err(error)) => tracing::debug!(%error, "reporting progress"),
            Err(panic) => tracing::debug!(%panic, "reporting progress"),
        }
    }

    fn row(&self, member: &Member, at: &Standing, elapsed: Duration) -> Row {
        let before = self.counts.get(&at.partition).copied().unwrap_or(0);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "for people")]
        let rate = (at.count.saturating_sub(before) as f64 / elapsed.as_secs_f64()) as f32;
        Row {
            committed: at.done,
            high: at.done,
            oldest: at.oldest,
            rate,
            error: member
                .note(at.partition)
                .filter(|note| self.noted.get(&at.partition).is_none_or(|noted| noted != note))
                .map(str::to_owned),
        }
    }

    /// Writes the last report to its end: before a part ends that has worked everything off.
    pub async fn finish(mut self, member: &Member) {
        self.wait().await;
        self.told = Instant::now().checked_sub(EVERY).unwrap_or(self.told);
        self.tick(member);
        self.wait().await;
    }

    async fn wait(&mut self) {
        if let Some(task) = self.reporting.take() {
            let reported = task.await;
            self.hear(reported);
        }
    }
}

async fn with_ends(kafka: &Kafka, topic: &str, mut rows: BTreeMap<i32, Row>) -> Result<BTreeMap<i32, Row>, AgentError> {
    let Some(last) = rows.keys().next_back().copied() else { return Ok(rows) };
    let ends = kafka.offsets(topic, last + 1).await?;
    for ((_, high), partition) in ends.into_iter().zip(0..) {
        if let Some(row) = rows.get_mut(&partition) {
            row.high = high.max(row.committed);
        }
    }
    Ok(rows)
}

const UPSERT: &str = "INSERT INTO lifestream.consumer_progress AS p \
    (consumer_group, stage, topic, partition, committed, high, oldest_at, rate, error, updated_at) \
    SELECT $1, $2, $3, r.*, now() FROM unnest($4::int4[], $5::int8[], $6::int8[], $7::text[]::timestamptz[], $8::float4[], $9::text[]) r \
    ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET stage = excluded.stage, committed = excluded.committed, \
    high = excluded.high, oldest_at = excluded.oldest_at, rate = excluded.rate, error = coalesce(excluded.error, p.error), updated_at = now()";

async fn write(
    database: &Database,
    stage: &str,
    group: &str,
    topic: &str,
    rows: &[(&i32, &Row)],
) -> Result<(), AgentError> {
    if rows.is_empty() {
        return Ok(());
    }
    let client = database.client().await?;
    let oldest = |row: &Row| Some(Timestamp::from_millisecond(row.oldest?).ok()?.to_string());
    let partitions: Vec<i32> = rows.iter().map(|(partition, _)| **partition).collect();
    let committed: Vec<i64> = rows.iter().map(|(_, row)| row.committed).collect();
    let high: Vec<i64> = rows.iter().map(|(_, row)| row.high).collect();
    let oldest: Vec<Option<String>> = rows.iter().map(|(_, row)| oldest(row)).collect();
    let rates: Vec<f32> = rows.iter().map(|(_, row)| row.rate).collect();
    let errors: Vec<Option<&str>> = rows.iter().map(|(_, row)| row.error.as_deref()).collect();
    client.execute(UPSERT, &[&group, &stage, &topic, &partitions, &committed, &high, &oldest, &rates, &errors]).await?;
    Ok(())
}
