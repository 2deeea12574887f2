//! Filling the shadows: events in the order of `seq`, each batch by one statement that calls the projections on the server.

use tokio_postgres::{Client, Statement};

use super::aside::{self, taken_in};
use super::error::RebuildError;
use super::reading::Reading;
use super::scope::Scope;
use super::shadows::Table;
use super::{Halt, Step, Tell};
use crate::materializer::fault::{self, Fault};
use crate::materializer::projections::calling;

/// Whether an event of the view has the columns of one of the table.
const ALIKE: &str = "SELECT count(*) FILTER (WHERE attrelid = 'lifestream.events'::regclass) = count(*) FILTER (WHERE attrelid = 'lifestream.all_events'::regclass) \
     FROM pg_catalog.pg_attribute WHERE attnum > 0 AND NOT attisdropped AND attrelid IN ('lifestream.events'::regclass, 'lifestream.all_events'::regclass)";
/// Events in one statement: its transaction is short, so that what projections lock besides tables is free again soon.
const BATCH: i64 = 2000;
/// Gaps that one statement looks into.
const GAPS: usize = 10_000;
/// With more than this many left, another round is taken before anybody is made to wait.
pub const FEW: u64 = 2000;
/// Shadows are analyzed when so many events have been applied, and each time that these have doubled.
const ANALYZE: u64 = 10_000;
/// How many refusals are told word for word.
const TOLD: usize = 10;

/// Above a number: the next ones.
const NEXT: &str = "\
SELECT e.seq FROM lifestream.all_events e
WHERE e.seq > $1 AND NOT EXISTS (SELECT FROM pg_temp.lifestream_left_out l WHERE l.seq = e.seq) ORDER BY e.seq LIMIT $2";

/// In gaps.
const IN_GAPS: &str = "\
SELECT e.seq FROM unnest($1::int8[], $2::int8[]) AS g (first, last), lifestream.all_events e
WHERE e.seq BETWEEN g.first AND g.last AND NOT EXISTS (SELECT FROM pg_temp.lifestream_left_out l WHERE l.seq = e.seq)
ORDER BY e.seq LIMIT $3";

/// `$1` numbers, `$2` event types.
const EVENTS: &str = "\
SELECT e.* FROM lifestream.all_events e WHERE e.seq = ANY ($1::int8[]) AND e.event_type = ANY ($2::text[]) ORDER BY e.seq";

/// What a projection wrote to that is no shadow.
const STRAY: &str = "\
SELECT s.schemaname || '.' || s.relname FROM pg_catalog.pg_stat_xact_all_tables s
WHERE s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0 AND s.schemaname !~ '^pg_' ORDER BY 1 LIMIT 1";

/// An event that was refused: what there is to say, and whether some group has applied it, or must have.
const REFUSED: &str = concat!(
    "SELECT e.id, e.event_type, e.subject_id, e.tenant_id, NOT EXISTS (SELECT FROM lifestream.events h WHERE h.seq = e.seq) OR ",
    taken_in!("e.id"),
    " FROM lifestream.all_events e WHERE e.seq = $1"
);

/// The projections of one schema.
struct Calls {
    search_path: String,
    statement: Statement,
    types: Vec<String>,
}

/// How far the shadows are.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Which numbers were read.
    pub reading: Reading,
    /// Events that were applied, or have no projection here.
    pub events: u64,
    /// How many the shadows refused, of those that are not materialized.
    pub refused: u64,
    /// The first of them, in words.
    pub refusals: Vec<String>,
}

/// The shadows under way.
pub struct Filling<'c> {
    client: &'c Client,
    calls: Vec<Calls>,
    is_all: bool,
    /// How far they are.
    pub progress: Progress,
    analyzed: u64,
    next: Statement,
    in_gaps: Statement,
    /// Whether all happens in a transaction that somebody else began.
    pub within: bool,
}

impl<'c> Filling<'c> {
    /// Prepares.
    ///
    /// # Errors
    /// As the database has it.
    pub async fn prepare(client: &'c Client, scope: &Scope) -> Result<Self, RebuildError> {
        client.batch_execute(aside::TABLES).await?;
        // A row as it is, or by way of JSON where the table has columns that its archive lacks.
        let alike: bool = client.query_one(ALIKE, &[]).await?.try_get(0)?;
        let event = if alike {
            "ROW(r.*)::lifestream.events"
        } else {
            "jsonb_populate_record(NULL::lifestream.events, to_jsonb(r))"
        };
        let mut calls = Vec::new();
        for ((_, schema), types) in scope.by_schema() {
            let search_path = match schema {
                "lifestream" => "SET LOCAL search_path TO pg_temp, lifestream".to_owned(),
                other => format!("SET LOCAL search_path TO pg_temp, {other}, lifestream"),
            };
            let number = "array_position($2::text[], r.event_type)";
            let statement = calling(types.values(), number, event, EVENTS);
            let statement = client.prepare(&statement).await?;
            calls.push(Calls { search_path, statement, types: types.keys().map(|name| (*name).to_owned()).collect() });
        }
        Ok(Self {
            client,
            calls,
            is_all: scope.is_all,
            progress: Progress::default(),
            analyzed: 0,
            next: client.prepare(NEXT).await?,
            in_gaps: client.prepare(IN_GAPS).await?,
            within: false,
        })
    }

    /// Empties the shadows and what is known of them.
    ///
    /// # Errors
    /// As the database has it.
    pub async fn start_over(&mut self, tables: &[Table]) -> Result<(), RebuildError> {
        let names: Vec<_> = tables.iter().map(|table| table.shadow.as_str()).collect();
        self.client
            .batch_execute(&format!(
                "TRUNCATE {}, pg_temp.lifestream_left_out, pg_temp.lifestream_refused",
                names.join(", ")
            ))
            .await?;
        self.progress = Progress::default();
        self.analyzed = 0;
        Ok(())
    }

    /// Applies what is there and is not in the shadows yet; says how many events that were.
    ///
    /// # Errors
    /// [`Halt`].
    pub async fn round(&mut self, tables: &[Table], tell: Tell<'_>) -> Result<u64, Halt> {
        let before = self.progress.events;
        self.ask_what_is_left_out().await?;
        loop {
            let found = numbers(&self.client.query(&self.next, &[&self.progress.reading.high, &BATCH]).await?)?;
            let Some(&seq) = found.last() else { break };
            self.apply(found).await?;
            tell(Step::Read { events: self.progress.events, seq });
            self.analyze(tables).await?;
        }
        let mut from = 0;
        loop {
            let (first, last) = self.progress.reading.gaps(from, GAPS);
            let Some(&end) = last.last() else { break };
            let found = numbers(&self.client.query(&self.in_gaps, &[&first, &last, &BATCH]).await?)?;
            let is_cut_off = i64::try_from(found.len()).is_ok_and(|count| count == BATCH);
            from = found.last().filter(|_| is_cut_off).map_or(end, |seq| *seq) + 1;
            self.apply(found).await?;
        }
        Ok(self.progress.events - before)
    }

    /// How many events are left out.
    ///
    /// # Errors
    /// As the database has it.
    pub async fn left_out(&self) -> Result<i64, RebuildError> {
        Ok(self.client.query_one("SELECT count(*) FROM pg_temp.lifestream_left_out", &[]).await?.try_get(0)?)
    }

    /// The shadows are of no use once they hold what the state will not.
    async fn ask_what_is_left_out(&mut self) -> Result<(), Halt> {
        self.client.batch_execute(aside::FORGET).await?;
        self.client.batch_execute(aside::ASK).await?;
        let left_out = numbers(&self.client.query("SELECT seq FROM pg_temp.lifestream_left_out", &[]).await?)?;
        match left_out.iter().find(|seq| self.progress.reading.has(**seq)) {
            None => Ok(()),
            Some(seq) => {
                tracing::info!(seq, "parked after it was applied to the shadows: filling them anew");
                Err(Halt::StartOver)
            }
        }
    }

    /// Applies these events. When one is refused, the others are applied all the same: the batch is halved until it is alone.
    async fn apply(&mut self, seqs: Vec<i64>) -> Result<(), Halt> {
        // Stretches still to do, the next one last.
        let mut stretches = vec![seqs];
        while let Some(mut stretch) = stretches.pop() {
            if stretch.is_empty() {
                continue;
            }
            let Err(error) = self.commit(&stretch).await else {
                self.progress.events += stretch.len() as u64;
                self.progress.reading.pass(&stretch);
                continue;
            };
            let error = match error {
                Halt::Ended(RebuildError::Statement(error)) => error,
                other => return Err(other),
            };
            if !matches!(fault::of_statement(error.code()), Fault::Event | Fault::Doubtful) {
                return Err(error.into());
            }
            if self.within {
                return Err(Halt::Refused(error));
            }
            if stretch.len() > 1 {
                let second = stretch.split_off(stretch.len() / 2);
                stretches.extend([second, stretch]);
                continue;
            }
            for seq in stretch {
                self.refuse(seq, &error).await?;
            }
            for stretch in &mut stretches {
                let sql = "SELECT seq FROM pg_temp.lifestream_left_out WHERE seq = ANY ($1)";
                let left_out = numbers(&self.client.query(sql, &[&*stretch]).await?)?;
                stretch.retain(|seq| !left_out.contains(seq));
            }
        }
        Ok(())
    }

    async fn commit(&self, seqs: &[i64]) -> Result<(), Halt> {
        if self.within {
            return self.transact(seqs).await;
        }
        self.client.batch_execute("BEGIN").await?;
        match self.transact(seqs).await {
            Ok(()) => Ok(self.client.batch_execute("COMMIT").await?),
            Err(halt) => {
                // On a broken connection this fails as well.
                let _ = self.client.batch_execute("ROLLBACK").await;
                Err(halt)
            }
        }
    }

    async fn transact(&self, seqs: &[i64]) -> Result<(), Halt> {
        for calls in &self.calls {
            self.client.batch_execute(&calls.search_path).await?;
            self.client.execute(&calls.statement, &[&seqs, &calls.types]).await?;
        }
        match self.client.query_opt(STRAY, &[]).await? {
            None => Ok(()),
            Some(row) => Err(Halt::Ended(RebuildError::Unfit(format!(
                "a projection wrote to {} itself, not to a shadow: nothing was changed. A projection names the tables that it \
                 writes in add_projection, and without a schema in its body",
                row.try_get::<_, String>(0)?
            )))),
        }
    }

    /// An event alone, which a projection refuses: what has no effect in the state waits, with what follows it, as it will when the materializer
    /// comes to it.
    async fn refuse(&mut self, seq: i64, error: &tokio_postgres::Error) -> Result<(), Halt> {
        let row = self.client.query_one(REFUSED, &[&seq]).await?;
        let (id, event_type, subject_id): (uuid::Uuid, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let (tenant_id, is_taken_in): (String, bool) = (row.try_get(3)?, row.try_get(4)?);
        let error = fault::describe(error);
        if is_taken_in {
            let hint = if self.is_all {
                ""
            } else {
                ". It may need state that other projections keep: `lifestream rebuild all`"
            };
            return Err(Halt::Ended(RebuildError::Refused { id, seq, event_type, subject_id, error, hint }));
        }
        if self.progress.refusals.len() < TOLD {
            self.progress.refusals.push(format!("event {id} ({event_type}, subject {subject_id:?}): {error}"));
        }
        self.progress.refused += 1;
        let keep = "INSERT INTO pg_temp.lifestream_refused VALUES ($1, $2, $3, $4)";
        self.client.execute(keep, &[&id, &subject_id, &tenant_id, &seq]).await?;
        self.ask_what_is_left_out().await
    }

    /// Plans that were made for empty tables are made anew.
    async fn analyze(&mut self, tables: &[Table]) -> Result<(), RebuildError> {
        if self.within || self.progress.events < ANALYZE.max(2 * self.analyzed) {
            return Ok(());
        }
        self.analyzed = self.progress.events;
        let names: Vec<_> = tables.iter().map(|table| table.shadow.as_str()).collect();
        Ok(self.client.batch_execute(&format!("ANALYZE {}", names.join(", "))).await?)
    }
}

fn numbers(rows: &[tokio_postgres::Row]) -> Result<Vec<i64>, tokio_postgres::Error> {
    rows.iter().map(|row| row.try_get(0)).collect()
}
