//! `lifestream rebuild`: the state made anew from the events, while readers read and materializers go on.
//!
//! The projections of a [`scope`] are pointed at [`shadows`]; [`filling`] applies the events to them, archived ones too, in the order of
//! `seq`, but for those that have no effect ([`aside`]). Then, in one transaction that makes the materializers wait, what has come
//! meanwhile is applied as well, the state is [`compare`]d with the shadows, and made what they are.
//!
//! **Why nothing is lost.** Whoever writes to the state first changes `lifestream.kafka_offsets`. The last transaction locks that table against
//! writers before it takes its one snapshot; so what the state has taken in was committed before, and so were its events: the
//! snapshot shows both. An event that is not materialized yet may be in the shadows, and is applied once more; that changes nothing.

mod aside;
mod compare;
mod error;
mod filling;
mod reading;
mod scope;
mod shadows;
mod taken_in;

use std::time::Duration;

use lifestream_envelope::failpoint;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

pub use compare::Difference;
pub use error::RebuildError;

use compare::compare;
use filling::{FEW, Filling};
use scope::Scope;
use shadows::Table;

/// The advisory lock of a rebuild: there is one at a time.
const LOCK: i64 = i64::from_be_bytes(*b"lsrebuil");
/// Rounds before the last one, however much comes.
const ROUNDS: u32 = 10;
/// How often the shadows may be filled anew.
const STARTS: u32 = 5;
/// How often the last transaction may meet an event that is refused.
const REFUSALS: u32 = 5;
/// How often the materializers are asked to wait.
const TRIES: u32 = 60;
/// How often another rebuild is asked whether it is gone.
const GOING: u32 = 15;
/// Between two tries.
const BETWEEN: Duration = Duration::from_millis(200);

/// For the whole session. Plans for events and shadows go down an index, whatever is known of the tables. The server looks whether this
/// process is still there, and does not compare for nobody while others wait. A policy that hides rows is an error.
const SESSION: &str = "\
SET search_path TO pg_catalog, pg_temp; SET statement_timeout = 0; SET lock_timeout = 0; SET jit = off;
SET synchronous_commit = off; SET temp_buffers = '128MB'; SET row_security = off;
SELECT set_config(name, '1s', false) FROM pg_catalog.pg_settings WHERE name = 'client_connection_check_interval';
SET default_transaction_isolation = 'read committed'; SET client_min_messages = warning;
SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off";

/// For the last transaction. Stopped in its midst, it does not make the materializers wait for ever.
const LAST: &str = "\
BEGIN ISOLATION LEVEL REPEATABLE READ;
SET LOCAL lock_timeout = '2s'; SET LOCAL idle_in_transaction_session_timeout = '30s'; SET LOCAL synchronous_commit = on;
SET LOCAL work_mem = '64MB'; SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on; SET LOCAL enable_sort = on";

/// Takes no snapshot.
const MAKE_WAIT: &str = "LOCK TABLE lifestream.kafka_offsets IN SHARE ROW EXCLUSIVE MODE; SET LOCAL lock_timeout = 0";

/// What a rebuild is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It begins: the events' last number.
    Begun {
        /// The number.
        last: i64,
    },
    /// Events were applied to the shadows.
    Read {
        /// How many so far.
        events: u64,
        /// Number of the last one.
        seq: i64,
    },
    /// State and shadows are compared.
    Comparing,
}

/// Whom to tell.
pub type Tell<'t> = &'t mut (dyn FnMut(Step) + Send);

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// The functions that were rebuilt together.
    pub projections: Vec<String>,
    /// Projections that name no tables: left as they are.
    pub without_tables: Vec<String>,
    /// Events that were read.
    pub events: u64,
    /// Events that have no effect: parked, discarded, and what waits behind them.
    pub left_out: u64,
    /// Events that are not materialized yet, and that a projection refuses: they will park.
    pub refused: u64,
    /// The first of them, in words.
    pub refusals: Vec<String>,
    /// Each table.
    pub differences: Vec<Difference>,
    /// Events that Kafka had lost before they were materialized: they count as taken in now.
    pub recovered: u64,
    /// After a dry run: of the newest events, those that are not materialized yet.
    pub ahead: u64,
}

/// Why filling does not go on.
#[derive(Debug)]
enum Halt {
    /// The shadows hold what they must not.
    StartOver,
    /// In the last transaction, which is at an end by it: the next round finds out whose it is.
    Refused(tokio_postgres::Error),
    /// For good.
    Ended(RebuildError),
}

impl From<RebuildError> for Halt {
    fn from(error: RebuildError) -> Self {
        Self::Ended(error)
    }
}

impl From<tokio_postgres::Error> for Halt {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Ended(error.into())
    }
}

/// Rebuilds what `what` names (a projection's function, an event type, or `all`); with `dry_run`, only compares, and makes nobody wait.
///
/// The connection is used up: nothing else may be done with it.
///
/// # Errors
/// Nothing was changed then.
pub async fn run(client: &Client, what: &str, dry_run: bool, tell: Tell<'_>) -> Result<Report, RebuildError> {
    refuse_another(client).await?;
    client.batch_execute(SESSION).await?;
    let scope = Scope::find(client, what).await?;
    let tables = shadows::create(client, &scope.tables()).await?;
    let rebuild = Rebuild { client, what, dry_run, scope: &scope, tables: &tables };
    let mut filling = Filling::prepare(client, &scope).await?;
    tell(Step::Begun { last: last_number(client).await? });
    let (mut starts, mut tries, mut refusals) = (1, 1, 0);
    loop {
        let halt = match rebuild.attempt(&mut filling, tell).await {
            Ok(report) => {
                // The server still has shadows to remove; another rebuild need not wait for that.
                client.execute("SELECT pg_catalog.pg_advisory_unlock($1)", &[&LOCK]).await?;
                return Ok(report);
            }
            Err(halt) => halt,
        };
        // A transaction that the failed step left open; on a broken connection there is none.
        let _ = client.batch_execute("ROLLBACK").await;
        match halt {
            Halt::StartOver if starts < STARTS => {
                starts += 1;
                filling.start_over(&tables).await?;
            }
            Halt::StartOver => {
                return Err(RebuildError::Unfit(
                    "events are being parked as fast as they are read: nothing was changed; `lifestream parked list` shows them".to_owned(),
                ));
            }
            Halt::Refused(error) if refusals < REFUSALS => {
                tracing::debug!(
                    error = super::describe(&error),
                    "refused at last: whose it is, the next round finds out"
                );
                refusals += 1;
            }
            Halt::Ended(RebuildError::Statement(error)) if is_lock(&error) && tries < TRIES => {
                tracing::debug!("a batch is under way: once more");
                tries += 1;
                tokio::time::sleep(BETWEEN).await;
            }
            Halt::Ended(RebuildError::Statement(error)) if is_lock(&error) => {
                return Err(RebuildError::Unfit(
                    "a transaction of a materializer does not end: nothing was changed; pg_stat_activity shows it (application_name \
                     'lifestream materializer')"
                        .to_owned(),
                ));
            }
            Halt::Refused(error) => return Err(error.into()),
            Halt::Ended(error) => return Err(error),
        }
    }
}

/// Whether the materializers could not be made to wait.
fn is_lock(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE)
}

struct Rebuild<'a> {
    client: &'a Client,
    what: &'a str,
    dry_run: bool,
    scope: &'a Scope,
    tables: &'a [Table],
}

impl Rebuild<'_> {
    /// Catches up, then compares and swaps.
    async fn attempt(&self, filling: &mut Filling<'_>, tell: Tell<'_>) -> Result<Report, Halt> {
        for _ in 0..ROUNDS {
            if filling.round(self.tables, tell).await? < FEW {
                break;
            }
        }
        failpoint!("rebuild.filled");
        let before = filling.progress.clone();
        filling.within = true;
        let done = self.last(filling, tell).await;
        filling.within = false;
        if done.is_err() {
            filling.progress = before;
        }
        done
    }

    /// The last transaction.
    async fn last(&self, filling: &mut Filling<'_>, tell: Tell<'_>) -> Result<Report, Halt> {
        let client = self.client;
        client.batch_execute(LAST).await?;
        if !self.dry_run {
            client.batch_execute(MAKE_WAIT).await?;
        }
        if Scope::find(client, self.what).await? != *self.scope {
            return Err(Halt::Ended(RebuildError::Unfit(
                "projections were added, dropped or changed while they were rebuilt: nothing was changed; run it again"
                    .to_owned(),
            )));
        }
        filling.round(self.tables, tell).await?;
        tell(Step::Comparing);
        client.batch_execute("SET LOCAL search_path TO pg_catalog, pg_temp").await?;
        let mut compared = Vec::new();
        for (number, table) in self.tables.iter().enumerate() {
            compared.push(compare(client, number, table).await?);
        }
        let mut report = Report {
            projections: self.scope.names(),
            without_tables: self.scope.without_tables.clone(),
            events: filling.progress.events,
            left_out: filling.left_out().await?.cast_unsigned(),
            refused: filling.progress.refused,
            refusals: filling.progress.refusals.clone(),
            differences: compared.iter().map(|compared| compared.difference.clone()).collect(),
            recovered: 0,
            ahead: if self.dry_run { taken_in::ahead(client).await? } else { 0 },
        };
        if self.dry_run {
            client.batch_execute("ROLLBACK").await?;
            return Ok(report);
        }
        compare::swap(client, &compared).await?;
        let notes = taken_in::notes(client).await?;
        failpoint!("rebuild.swapped");
        client.batch_execute("COMMIT").await?;
        if self.scope.is_all && !notes.is_empty() {
            report.recovered = taken_in::recover(client, &filling.progress.reading, &notes).await?;
        }
        Ok(report)
    }
}

/// There is one rebuild at a time, in all of the database. One that was killed has gone after a moment.
async fn refuse_another(client: &Client) -> Result<(), RebuildError> {
    for _ in 0..GOING {
        let row = client.query_one("SELECT pg_catalog.pg_try_advisory_lock($1)", &[&LOCK]).await?;
        if row.try_get(0)? {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN).await;
    }
    let holder = client
        .query_opt(
            "SELECT l.pid, coalesce(host(a.client_addr), 'this machine') \
             FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid) \
             WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND (l.classid::int8 << 32 | l.objid::int8) = $1 \
               AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())",
            &[&LOCK],
        )
        .await?;
    let who = match holder {
        Some(row) => format!(" (from {}, server process {})", row.try_get::<_, String>(1)?, row.try_get::<_, i32>(0)?),
        None => String::new(),
    };
    Err(RebuildError::Unfit(format!("`lifestream rebuild` is running already{who}: wait until it ends")))
}

async fn last_number(client: &Client) -> Result<i64, RebuildError> {
    let row = client.query_opt("SELECT seq FROM lifestream.all_events ORDER BY seq DESC LIMIT 1", &[]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
}
