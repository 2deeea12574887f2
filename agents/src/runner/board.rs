//! `lifestream.circuits`: which lanes are not closed, for people, and for the next run.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::answer::shortened;
use super::circuit::{Circuit, QUIET, State};
use crate::{AgentError, Database};

/// Longer names and errors are cut.
const LONGEST: usize = 500;

/// Writes changes in their order, beside the work. Best effort: what counts is in the runner's memory.
pub struct Board {
    /// None once it is finished.
    changes: Option<UnboundedSender<Row>>,
    writer: JoinHandle<()>,
}

struct Row {
    lane: String,
    /// None once it is closed.
    state: Option<&'static str>,
    failures: i32,
    until: Option<String>,
    error: String,
}

impl Board {
    /// For a group, with its prefix.
    pub fn new(database: &Arc<Database>, group: String) -> Self {
        let (changes, rows) = unbounded_channel();
        let writer = tokio::spawn(write_all(Arc::clone(database), group, rows));
        Self { changes: Some(changes), writer }
    }

    /// Notes and logs where a lane's circuit stands now.
    pub fn note(&self, agent: &str, lane: &str, circuit: &Circuit, now: Instant) {
        let (failures, error) = (circuit.failures(), shortened(circuit.error(), LONGEST));
        let until = circuit.opens().map(|until| clock(until, now));
        match (circuit.state(), &until) {
            (State::Closed, _) => tracing::info!("{agent}: {lane} works again"),
            (State::Slow, _) => {
                tracing::warn!(
                    "{agent}: {lane} has failed {failures} times in a row ({error}): one at a time, and seldom"
                );
            }
            (State::Paused { until }, _) if until <= now => {}
            (State::Paused { .. }, Some(until)) => {
                tracing::warn!("{agent}: {lane} is paused until {until}, after {failures} failures in a row ({error})");
            }
            (State::Paused { .. } | State::Probing, _) => tracing::debug!("{agent}: {lane} is probed"),
        }
        let state = match circuit.state() {
            State::Closed => None,
            State::Slow => Some("slow"),
            State::Paused { .. } => Some("paused"),
            State::Probing => Some("probing"),
        };
        let failures = i32::try_from(failures).unwrap_or(i32::MAX);
        let Some(changes) = &self.changes else { return };
        // The writer ends only with this.
        let _ = changes.send(Row { lane: shortened(lane, LONGEST), state, failures, until, error });
    }

    /// Writes what is left.
    pub async fn finish(&mut self) {
        if self.changes.take().is_none() {
            return;
        }
        if tokio::time::timeout(Duration::from_secs(2), &mut self.writer).await.is_err() {
            tracing::debug!("circuits not written: the database is away");
        }
    }
}

fn clock(until: Instant, now: Instant) -> String {
    Timestamp::now().checked_add(until.saturating_duration_since(now)).unwrap_or(Timestamp::MAX).to_string()
}

async fn write_all(database: Arc<Database>, group: String, mut rows: UnboundedReceiver<Row>) {
    // Of a lane only the newest matters; one that was not written is written with the next one.
    let mut unwritten: HashMap<String, Row> = HashMap::new();
    while let Some(row) = rows.recv().await {
        unwritten.insert(row.lane.clone(), row);
        while let Ok(row) = rows.try_recv() {
            unwritten.insert(row.lane.clone(), row);
        }
        for (lane, row) in std::mem::take(&mut unwritten) {
            if let Err(error) = write(&database, &group, &row).await {
                tracing::debug!(%error, lane, "noting a circuit");
                unwritten.insert(lane, row);
            }
        }
    }
}

/// What nobody has had news of for a while: of a member that is gone, or of a lane that is not needed any more.
const FORGET: &str = "DELETE FROM lifestream.circuits WHERE consumer_group = $1 AND holds_until <= now()";

/// A member that pauses a lane for longer than this one knows of is right as long as it does.
const NOTE: &str = "INSERT INTO lifestream.circuits AS c \
    (consumer_group, lane, state, failures, until, last_error, changed_at, holds_until) \
    VALUES ($1, $2, $3, $4, $5::text::timestamptz, $6, now(), greatest(now(), $5::text::timestamptz) + make_interval(secs => $7)) \
    ON CONFLICT (consumer_group, lane) DO UPDATE SET state = excluded.state, failures = excluded.failures, until = excluded.until, \
    last_error = excluded.last_error, changed_at = excluded.changed_at, holds_until = excluded.holds_until \
    WHERE c.until IS NULL OR c.until <= greatest(now(), excluded.until)";

async fn write(database: &Database, group: &str, row: &Row) -> Result<(), AgentError> {
    let client = database.client().await?;
    client.execute(FORGET, &[&group]).await?;
    let Some(state) = row.state else {
        client
            .execute("DELETE FROM lifestream.circuits WHERE consumer_group = $1 AND lane = $2", &[&group, &row.lane])
            .await?;
        return Ok(());
    };
    let quiet = QUIET.as_secs_f64();
    client.execute(NOTE, &[&group, &row.lane, &state, &row.failures, &row.until, &row.error, &quiet]).await?;
    Ok(())
}

/// The circuits as the runs before this one left them.
///
/// # Errors
/// The database does not answer.
pub async fn load(database: &Database, group: &str) -> Result<Vec<(String, Circuit)>, AgentError> {
    let client = database.client().await?;
    client.execute(FORGET, &[&group]).await?;
    let rows = client
        .query(
            "SELECT lane, state, failures, coalesce(greatest(extract(epoch FROM until - now()), 0), 0)::float8, \
             coalesce(last_error, '') FROM lifestream.circuits WHERE consumer_group = $1",
            &[&group],
        )
        .await?;
    let now = Instant::now();
    let read = |row: tokio_postgres::Row| {
        let (lane, state): (String, String) = (row.get(0), row.get(1));
        let failures = u32::try_from(row.get::<_, i32>(2)).unwrap_or(0);
        let wait = Duration::try_from_secs_f64(row.get(3)).unwrap_or_default();
        // Whoever probed it is gone.
        let state = if state == "slow" { State::Slow } else { State::Paused { until: now + wait } };
        (lane, Circuit::restored(state, failures, row.get(4)))
    };
    Ok(rows.into_iter().map(read).collect())
}
