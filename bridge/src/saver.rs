//! Flips flags and renews the lease, beside the publishing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lifestream_envelope::failpoint;
use tokio::time::{sleep_until, timeout_at};
use tokio_postgres::{Client, Statement};
use tokio_util::sync::CancellationToken;

use crate::error::BridgeError;
use crate::gaps::runs;
use crate::lease::{LEASE, RENEWAL};
use crate::sender::{MESSAGE_TIMEOUT, STALLED};
use crate::tracker::{Progress, Tracker};

/// Under load, flags are flipped this often: it bounds what a start has to read back from the topic.
const SAVE_EVERY: Duration = Duration::from_millis(100);
/// ... or as soon as this many events wait for their flag.
const SAVE_EVENTS: u64 = 20_000;
/// A row that is updated thousands of times a second slows down while anyone holds an old snapshot; single events
/// are flagged within this.
const SAVE_PACE: Duration = Duration::from_millis(4);

/// Flips exactly the acknowledged rows, in runs of consecutive numbers: within a run there is no number that a late
/// transaction could still fill. Fenced by the epoch in the same statement.
const SAVE: &str = "WITH mine AS ( \
         UPDATE lifestream.bridge_progress \
         SET watermark = $2, high = $3, offsets = $4, closed = $5, saved_at = pg_catalog.clock_timestamp(), \
             lease_until = pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $6) \
         WHERE epoch = $1 RETURNING 1), \
     flipped AS ( \
         UPDATE lifestream.events e SET published_to_kafka = true \
         FROM unnest($7::int8[], $8::int8[]) AS run(lo, hi) \
         WHERE e.seq BETWEEN run.lo AND run.hi AND EXISTS (SELECT FROM mine) RETURNING 1) \
     SELECT (SELECT count(*) FROM mine), (SELECT count(*) FROM flipped)";

/// Losing a save in a crash of the server costs nothing: flags and offsets are lost together, and the next start
/// reads the topic from the older offsets. An emit, in contrast, always waits for its commit to be on disk. The plan is
/// fixed for the same reasons as the reader's.
const SESSION: &str = "SET synchronous_commit = off; SET enable_seqscan = off; SET enable_hashjoin = off; \
     SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan; SET jit = off";

/// Saves progress for one epoch.
pub struct Saver {
    client: Arc<Client>,
    save: Statement,
    epoch: i64,
    tracker: Arc<Tracker>,
    deadline: Instant,
    last: Instant,
}

impl Saver {
    /// `deadline` is when the lease ends, unless it is renewed.
    pub async fn new(
        client: Arc<Client>,
        epoch: i64,
        deadline: Instant,
        tracker: Arc<Tracker>,
    ) -> Result<Self, BridgeError> {
        client.batch_execute(SESSION).await?;
        let save = client.prepare(SAVE).await?;
        tracker.send_until(deadline - MESSAGE_TIMEOUT);
        Ok(Self { client, save, epoch, tracker, deadline, last: Instant::now() })
    }

    /// Works until `closing`, or until the epoch is over; what stops it ends the epoch.
    pub async fn run(mut self, closing: CancellationToken) {
        if let Err(fault) = self.work(&closing).await {
            self.tracker.fail(fault);
        } else if self.tracker.has_failed() {
            // What was acknowledged before the fault need not be read back from the topic. If this fails, it is.
            let _ = self.save(false).await;
        }
    }

    async fn work(&mut self, closing: &CancellationToken) -> Result<(), BridgeError> {
        loop {
            let wake_at = if self.tracker.unsaved() > 0 { self.last + SAVE_EVERY } else { self.last + RENEWAL };
            let wake_at = wake_at.min(Instant::now() + STALLED / 8);
            tokio::select! {
                () = self.tracker.progressed.notified() => {}
                () = sleep_until(wake_at.into()) => {}
                () = closing.cancelled() => {
                    self.save(true).await?;
                    failpoint!("bridge.closed");
                    return Ok(());
                }
            }
            if self.tracker.has_failed() {
                return Ok(());
            }
            if self.tracker.oldest_in_flight().is_some_and(|age| age > STALLED) {
                return Err(BridgeError::Stalled);
            }
            if self.is_due() {
                sleep_until((self.last + SAVE_PACE).into()).await;
                self.save(false).await?;
            }
        }
    }

    fn is_due(&self) -> bool {
        let (unsaved, since) = (self.tracker.unsaved(), self.last.elapsed());
        let worth_it = unsaved > 0 && (self.tracker.in_flight() == 0 || unsaved >= SAVE_EVENTS || since >= SAVE_EVERY);
        worth_it || since >= RENEWAL
    }

    async fn save(&mut self, closing: bool) -> Result<(), BridgeError> {
        let progress = self.tracker.take();
        if !progress.acknowledged.is_empty() {
            failpoint!("bridge.saving");
        }
        let asked = Instant::now();
        let (renewed, flipped) = timeout_at(self.deadline.into(), self.write(&progress, closing && progress.at_rest))
            .await
            .map_err(|_| BridgeError::LeaseExpired)??;
        if renewed == 0 {
            return Err(BridgeError::Fenced(self.epoch));
        }
        if flipped > 0 {
            failpoint!("bridge.saved");
        }
        self.tracker.saved(&progress);
        self.last = asked;
        self.deadline = asked + LEASE;
        self.tracker.send_until(self.deadline - MESSAGE_TIMEOUT);
        if flipped != progress.acknowledged.len().cast_signed() {
            tracing::error!(
                published = progress.acknowledged.len(),
                flipped,
                "rows of lifestream.events disappeared between publishing and flipping their flag"
            );
        }
        Ok(())
    }

    async fn write(&self, progress: &Progress, closed: bool) -> Result<(i64, i64), BridgeError> {
        let (from, to) = runs(&progress.acknowledged);
        let row = self
            .client
            .query_one(
                &self.save,
                &[
                    &self.epoch,
                    &progress.watermark,
                    &progress.high,
                    &progress.offsets,
                    &closed,
                    &LEASE.as_secs_f64(),
                    &from,
                    &to,
                ],
            )
            .await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }
}
