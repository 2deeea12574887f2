//! Looks: what is new in `lifestream.events`, in the order of `seq`.
//!
//! A look is a tail (`seq` above the high mark) and a probe of the open gaps, in READ COMMITTED statements of their
//! own, the tail first. Whoever took a lock on a subject before it emitted drew its number after the previous
//! holder had committed; so a snapshot that shows its row shows the previous one too, and a probe with a later
//! snapshot than the tail's finds it if it is in a gap. Merged by `seq`, a subject's events come out in order.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use futures_util::future::join3;
use lifestream_envelope::channels;
use lifestream_envelope::postgres::Session;
use roaring::RoaringTreemap;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Notification, Row, Statement};

use crate::error::BridgeError;
use crate::gaps::{Gaps, Holder, runs};
use crate::row;
use crate::tracker::Tracker;

/// A look ends early once its rows take this many bytes; three looks at most are in memory at a time.
const LOOK_BYTES: usize = 4 << 20;
/// Runs of gaps that one probe names; the rest follow in further probes.
const PROBE_RUNS: usize = 10_000;

/// The plan is fixed to what is right for any table size: down the index on `seq`, no further than the limit. What is
/// switched off makes it look dear, for which the server would compile it anew, every time, for 200 ms: so no JIT.
const PLANNER: &str = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; \
     SET plan_cache_mode = force_generic_plan; SET jit = off; SET default_transaction_isolation = 'read committed'";

/// Who may still fill a gap. Prepared transactions have no pid; `xid` is the top-level one, drawn first.
const LOCKS: &str = "WITH locks AS MATERIALIZED (SELECT * FROM pg_catalog.pg_locks WHERE granted) \
     SELECT l.virtualtransaction, l.pid IS NOT NULL, \
            ARRAY(SELECT x.transactionid::text FROM locks x \
                  WHERE x.virtualtransaction = l.virtualtransaction AND x.locktype = 'transactionid' \
                    AND x.mode = 'ExclusiveLock'), \
            pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text \
     FROM locks l \
     WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' \
       AND l.relation = 'lifestream.events'::regclass \
       AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
       AND (l.pid IS NULL OR l.pid <> ALL ($1))";

/// Which of the cohorts have an owner that this statement's snapshot sees as finished.
const GATES: &str = "SELECT DISTINCT g.cohort FROM unnest($1::int4[], $2::text[]) AS g(cohort, xid) \
     WHERE pg_catalog.pg_visible_in_snapshot(g.xid::xid8, pg_catalog.pg_current_snapshot())";

/// What a look found.
pub struct Look {
    /// Rows of [`row::COLUMNS`], in the order in which they are to be published.
    pub rows: Vec<Row>,
    /// Another look at once may find more.
    pub more: bool,
    /// Somebody may have decided about what is parked.
    pub decided: bool,
}

/// Reads the outbox over a connection of its own, on which it also listens.
pub struct Reader {
    client: Arc<Client>,
    notifications: UnboundedReceiver<Notification>,
    tail: Statement,
    probe: Statement,
    gates: Statement,
    locks: Statement,
    own_backends: Vec<i32>,
    tracker: Arc<Tracker>,
    gaps: Gaps,
    high: i64,
    /// Numbers above the watermark that were settled before this epoch: flagged, or parked.
    known: RoaringTreemap,
    /// Gaps that a look had no room to probe.
    backfill: RoaringTreemap,
    /// Rows of the next tail: fewer than a batch after rows so large that a look was cut short.
    limit: i64,
    batch_size: i64,
    /// Somebody may have decided about what is parked: at the start, when it is announced, and whenever the safety timer looks.
    decided: bool,
}

impl Reader {
    /// Prepares to read what lies above `watermark`; `known` are the numbers there that need nothing any more.
    ///
    /// `own_backends` are the process ids of this bridge's connections, whose locks fill no gaps.
    pub async fn new(
        session: Session,
        own_backends: Vec<i32>,
        watermark: i64,
        known: RoaringTreemap,
        batch_size: usize,
        tracker: Arc<Tracker>,
    ) -> Result<Self, BridgeError> {
        let Session { client, notifications } = session;
        client.batch_execute(PLANNER).await?;
        let columns = row::COLUMNS;
        let tail = format!(
            "SELECT {columns} FROM lifestream.events e WHERE e.seq > $1 AND NOT e.published_to_kafka ORDER BY e.seq LIMIT $2"
        );
        // The runs come in order and do not overlap, so their rows need no sort.
        let probe = format!(
            "SELECT {columns} FROM unnest($1::int8[], $2::int8[]) AS gap(lo, hi), LATERAL (SELECT * FROM lifestream.events s \
             WHERE s.seq BETWEEN gap.lo AND gap.hi AND NOT s.published_to_kafka ORDER BY s.seq LIMIT $3) e LIMIT $3"
        );
        let tail = client.prepare(&tail).await?;
        let probe = client.prepare(&probe).await?;
        let gates = client.prepare(GATES).await?;
        let locks = client.prepare(LOCKS).await?;
        let batch_size = i64::try_from(batch_size.max(1)).unwrap_or(i64::MAX);
        Ok(Self {
            client: Arc::new(client),
            notifications,
            tail,
            probe,
            gates,
            locks,
            own_backends,
            tracker,
            gaps: Gaps::default(),
            high: watermark,
            known,
            backfill: RoaringTreemap::new(),
            limit: batch_size,
            batch_size,
            decided: true,
        })
    }

    /// Its connection.
    pub fn client(&self) -> Arc<Client> {
        Arc::clone(&self.client)
    }

    /// One look. The rows come in the order in which they are to be published.
    ///
    /// # Errors
    /// When a statement fails or the connection breaks; the reader is of no use then.
    pub async fn look(&mut self) -> Result<Look, BridgeError> {
        while let Ok(notification) = self.notifications.try_recv() {
            self.decided |= notification.channel() == channels::PARKED;
        }
        if !self.backfill.is_empty() {
            let gaps = std::mem::take(&mut self.backfill);
            let (found, left) = self.read_gaps(gaps).await?;
            self.backfill = left;
            return Ok(self.in_order(found, true));
        }
        let orphans = match self.gaps.lock_look_due() {
            Some(due) if due <= Instant::now() => self.look_at_locks().await?,
            _ => RoaringTreemap::new(),
        };
        let (cohorts, xids) = self.gaps.gates();
        let ungated = self.gaps.ungated();
        // Sent one behind the other without waiting: the server runs them in this order, each with its own snapshot.
        let (tail, found, opened) =
            join3(self.read_tail(), self.read_gaps(ungated), self.read_gates(&cohorts, &xids)).await;
        let ((tail, more), (mut found, mut left), opened) = (tail?, found?, opened?);
        if !opened.is_empty() {
            let (later, later_left) = self.read_gaps(self.gaps.of_cohorts(&opened)).await?;
            found.extend(later);
            left |= later_left;
        }
        if !left.is_empty() {
            // The tail is read again once every gap has been probed: what fills one goes out before it.
            self.backfill = left;
            return Ok(self.in_order(found, true));
        }
        self.gaps.probed();
        for row in &found {
            // Before the orphans are given up: these are none.
            self.gaps.fill(seq(row));
        }
        self.tracker.settle(&self.gaps.give_up(&orphans));
        let cut = more && count(&tail) < self.limit;
        self.limit = if cut { count(&tail) } else { self.batch_size.min(self.limit.saturating_mul(2)) };
        self.pass(&tail, !more);
        found.extend(tail);
        Ok(self.in_order(found, more))
    }

    /// Whether all that remains open are gaps: nothing that is committed waits to be sent.
    pub fn open_gaps(&self) -> bool {
        !self.gaps.is_empty()
    }

    /// Sleeps until somebody emitted, a gap wants another look, or `at_most` has passed (then true).
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn wait(&mut self, at_most: Duration) -> Result<bool, BridgeError> {
        let safety = Instant::now() + at_most;
        let until = self.gaps.lock_look_due().map_or(safety, |due| due.min(safety));
        tokio::select! {
            notified = self.notifications.recv() => match notified {
                Some(notification) => {
                    self.decided |= notification.channel() == channels::PARKED;
                    Ok(false)
                }
                // Any statement now fails with the reason.
                None => self.client.batch_execute("").await.map(|()| false).map_err(BridgeError::from),
            },
            () = tokio::time::sleep_until(until.into()) => {
                self.decided |= until == safety;
                Ok(until == safety)
            }
        }
    }

    /// Sorts by `seq`, and leaves out what was settled before this epoch.
    fn in_order(&mut self, mut rows: Vec<Row>, more: bool) -> Look {
        for row in &rows {
            self.gaps.fill(seq(row));
        }
        if !self.known.is_empty() {
            rows.retain(|row| !self.known.contains(seq(row)));
            // Below the high mark only gaps are read, and none of these is one.
            self.known.remove_range(..=self.high.cast_unsigned());
        }
        rows.sort_by_key(seq);
        Look { rows, more, decided: std::mem::take(&mut self.decided) }
    }

    /// Moves the high mark over the tail, and opens the gaps that it passed.
    fn pass(&mut self, tail: &[Row], exhausted: bool) {
        let mut high = tail.last().map_or(self.high, |row| seq(row).cast_signed());
        if exhausted {
            high = high.max(self.known.max().map_or(0, u64::cast_signed));
        }
        if high == self.high {
            return;
        }
        let mut passed = RoaringTreemap::new();
        passed.insert_range(self.high.cast_unsigned() + 1..=high.cast_unsigned());
        passed -= &self.known;
        // All of it is unsettled before the high mark moves: a save in between must not step over it.
        self.tracker.passed_over(&passed);
        self.tracker.reached(high);
        for row in tail {
            passed.remove(seq(row));
        }
        self.gaps.open(passed, Instant::now());
        self.high = high;
    }

    /// Rows above the high mark, and whether there may be more.
    async fn read_tail(&self) -> Result<(Vec<Row>, bool), BridgeError> {
        let (rows, whole) = self.rows(&self.tail, &[&self.high, &self.limit]).await?;
        let more = !whole || count(&rows) >= self.limit;
        Ok((rows, more))
    }

    /// Rows that fill the gaps, and those of the gaps that are still to be probed.
    async fn read_gaps(&self, mut gaps: RoaringTreemap) -> Result<(Vec<Row>, RoaringTreemap), BridgeError> {
        if gaps.is_empty() {
            return Ok((Vec::new(), gaps));
        }
        let (mut from, mut to) = runs(&gaps);
        from.truncate(PROBE_RUNS);
        to.truncate(PROBE_RUNS);
        let (rows, whole) = self.rows(&self.probe, &[&from, &to, &self.batch_size]).await?;
        let cut = !whole || count(&rows) >= self.batch_size;
        let done = match rows.last() {
            Some(row) if cut => Some(seq(row)),
            _ => to.last().copied().map(i64::cast_unsigned),
        };
        gaps.remove_range(..=done.unwrap_or(u64::MAX));
        Ok((rows, gaps))
    }

    async fn read_gates(&self, cohorts: &[i32], xids: &[u64]) -> Result<HashSet<i32>, BridgeError> {
        if cohorts.is_empty() {
            return Ok(HashSet::new());
        }
        let xids: Vec<String> = xids.iter().map(u64::to_string).collect();
        let rows = self.client.query(&self.gates, &[&cohorts, &xids]).await?;
        rows.iter().map(|row| row.try_get(0).map_err(BridgeError::from)).collect()
    }

    /// The rows of a statement up to [`LOOK_BYTES`], and whether those were all.
    async fn rows(
        &self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<(Vec<Row>, bool), BridgeError> {
        let stream = self.client.query_raw(statement, parameters.iter().copied()).await?;
        let mut stream = pin!(stream);
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while let Some(row) = stream.try_next().await? {
            bytes += row::bytes(&row);
            rows.push(row);
            if bytes >= LOOK_BYTES {
                // Dropping the stream lets the connection throw the rest away.
                return Ok((rows, false));
            }
        }
        Ok((rows, true))
    }

    async fn look_at_locks(&mut self) -> Result<RoaringTreemap, BridgeError> {
        let rows = self.client.query(&self.locks, &[&self.own_backends]).await?;
        let mut holders = Vec::with_capacity(rows.len());
        for row in &rows {
            let xmax: u64 = row.try_get::<_, &str>(3)?.parse().unwrap_or(0);
            let xids = row.try_get::<_, Vec<String>>(2)?;
            holders.push(Holder {
                virtual_transaction: row.try_get(0)?,
                has_pid: row.try_get(1)?,
                xid: xids.iter().filter_map(|xid| with_epoch(xid.parse().ok()?, xmax)).min(),
            });
        }
        Ok(self.gaps.locks_seen(&holders, Instant::now()))
    }
}

fn count(rows: &[Row]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

fn seq(row: &Row) -> u64 {
    // The first of COLUMNS, checked when the statement was prepared.
    row.get::<_, i64>(0).cast_unsigned()
}

/// The 64-bit transaction id that a running transaction's 32-bit one stands for: the one nearest to `xmax`.
fn with_epoch(xid: u32, xmax: u64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
    let distance = xid.wrapping_sub(xmax as u32).cast_signed();
    xmax.checked_add_signed(distance.into())
}

#[cfg(test)]
mod tests {
    use super::with_epoch;

    #[test]
    fn transaction_ids_get_the_epoch_of_the_snapshot() {
        assert_eq!(with_epoch(726, 730), Some(726));
        assert_eq!(with_epoch(726, (3 << 32) + 730), Some((3 << 32) + 726));
        // Started after the last one that finished.
        assert_eq!(with_epoch(740, (3 << 32) + 730), Some((3 << 32) + 740));
        // Drawn before the counter wrapped around.
        assert_eq!(with_epoch(u32::MAX - 1, (3 << 32) + 10), Some((3 << 32) - 2));
    }
}
