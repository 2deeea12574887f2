//! One epoch: from the start procedure until shutdown or the first fault.
//!
//! Three tasks work side by side: the reader looks ahead by a batch, this one serialises and sends, the saver flips.

use std::sync::Arc;
use std::time::Duration;

use lifestream_envelope::Until;
use lifestream_envelope::kafka::Kafka;
use lifestream_envelope::outage::Outage;
use lifestream_envelope::settings::Settings;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::error::BridgeError;
use crate::lease;
use crate::liveness;
use crate::publisher::Publisher;
use crate::reader::{Look, Reader};
use crate::sender::Pace;
use crate::start::{self, Epoch};
use crate::tracker::Tracker;

/// At its end, an epoch waits this long for PostgreSQL to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What one epoch tells the next.
#[derive(Debug)]
pub struct Carry {
    /// Some message up to this number is one that Kafka refuses: they are sent one by one to find it.
    pub suspect_until: Option<i64>,
    /// Whether the epoch came as far as publishing.
    pub started: bool,
    /// What kept the bridge from it.
    pub outage: Outage,
}

/// How an epoch ended without a fault.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing is left to do.
    Done,
    /// What Kafka refused is parked: another epoch goes on at full pace.
    Again,
}

/// Runs one epoch.
pub async fn run(
    settings: &Settings,
    kafka: &Kafka,
    shutdown: &CancellationToken,
    until: Until,
    carry: &mut Carry,
) -> Result<Ended, BridgeError> {
    let pace = if carry.suspect_until.is_some() { Pace::OneByOne } else { Pace::Pipelined };
    let epoch = tokio::select! {
        started = start::procedure(settings, kafka, pace) => started?,
        () = shutdown.cancelled() => return Ok(Ended::Done),
    };
    carry.started = true;
    carry.outage.over();
    let Epoch { keeper, reader, listening, sender, saver, tracker, parking, topic, watch } = epoch;
    let closing = CancellationToken::new();
    let saving = saver.run(closing.clone());
    let mut saving = tokio::spawn(vital(Arc::clone(&tracker), saving));
    let (batches, incoming) = mpsc::channel(1);
    let (listener, lively) = (reader.client(), Arc::clone(&keeper));
    let lost = async move { liveness::lost(&listener, listening, &lively).await };
    let reading = read(reader, batches, Arc::clone(&tracker), shutdown.clone(), settings.bridge.poll_interval, until);
    let reading = reading_or(reading, lost, Arc::clone(&tracker));
    let reading = tokio::spawn(vital(Arc::clone(&tracker), reading));
    let watching = tokio::spawn(vital(Arc::clone(&tracker), watch.run()));

    let overdue = overdue(Arc::clone(&tracker));
    let mut publisher = Publisher { keeper, sender, tracker, parking, topic };
    let ended = tokio::select! {
        ended = publisher.run(incoming, carry) => ended,
        // It waits for an answer that does not come: the keeper's connection is dead.
        () = overdue => Ok(Ended::Done),
    };
    reading.abort();
    watching.abort();
    if ended.is_ok() {
        publisher.sender.emptied().await;
    }
    closing.cancel();
    // A saver that hangs on a dead connection is not waited for: its statement is fenced by the epoch.
    if tokio::time::timeout(PATIENCE, &mut saving).await.is_err() {
        saving.abort();
    }
    let Publisher { keeper, sender, tracker, .. } = publisher;
    let fault = tracker.take_fault();
    if let Some(BridgeError::Refused { .. }) = fault {
        carry.suspect_until = Some(tracker.last_sent());
    }
    // Joins librdkafka's threads.
    let _ = tokio::task::spawn_blocking(move || drop(sender)).await;
    match fault {
        Some(fault) => Err(fault),
        None => {
            // A server that hangs must not keep the process: the end of the session frees the lease as well.
            if let Ok(released) = tokio::time::timeout(PATIENCE, lease::release(&keeper)).await {
                released?;
            }
            ended
        }
    }
}

/// Ends when the epoch has been over for a while.
async fn overdue(tracker: Arc<Tracker>) {
    while !tracker.has_failed() {
        tokio::time::sleep(PATIENCE / 10).await;
    }
    tokio::time::sleep(PATIENCE).await;
}

/// Reads, unless the connection for it is lost.
async fn reading_or(reading: impl Future<Output = ()>, lost: impl Future<Output = BridgeError>, tracker: Arc<Tracker>) {
    tokio::select! {
        () = reading => {}
        fault = lost => tracker.fail(fault),
    }
}

/// Runs one of the epoch's tasks: if it panics, the epoch ends instead of going on without it.
async fn vital(tracker: Arc<Tracker>, task: impl Future<Output = ()>) {
    struct Watch(Arc<Tracker>);
    impl Drop for Watch {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.fail(BridgeError::Panicked);
            }
        }
    }
    let _watch = Watch(tracker);
    task.await;
}

/// Looks until shutdown, or until nothing is left. A fault goes to the tracker.
async fn read(
    mut reader: Reader,
    batches: mpsc::Sender<Look>,
    tracker: Arc<Tracker>,
    shutdown: CancellationToken,
    poll_interval: Duration,
    until: Until,
) {
    let looking = async {
        let mut by_timer = false;
        loop {
            let look = reader.look().await?;
            let found = look.rows.len();
            if found > 0 && by_timer {
                tracing::warn!(
                    events = found,
                    "found by the safety timer: no wake-up announced them (emitted with lifestream.notify off, or through a pooler?)"
                );
            }
            let more = look.more;
            if (found > 0 || look.decided) && batches.send(look).await.is_err() {
                return Ok(());
            }
            by_timer = false;
            match until {
                _ if more => {}
                Until::Idle if found == 0 => return Ok(()),
                Until::Idle => {}
                Until::Shutdown => by_timer = reader.wait(poll_interval).await?,
            }
        }
    };
    tokio::select! {
        ended = looking => if let Err(fault) = ended { tracker.fail(fault) },
        () = shutdown.cancelled() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_ends_the_epoch() {
        let tracker = Arc::new(Tracker::new(0, vec![0]));
        let task = tokio::spawn(vital(Arc::clone(&tracker), async { panic!("a bug") }));
        assert!(task.await.is_err());
        assert!(matches!(tracker.take_fault(), Some(BridgeError::Panicked)));
    }
}
