//! Waiting for a condition instead of for a time.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(20);

/// Asks every 20 ms until the condition holds.
///
/// # Panics
/// If it has not held within the time: `what` says what was waited for.
#[track_caller]
pub fn eventually(within: Duration, what: &(impl Display + ?Sized), mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < within, "not within {within:?}: {what}");
        std::thread::sleep(INTERVAL);
    }
}

/// The same for a condition that must be awaited.
///
/// # Panics
/// If it has not held within the time: `what` says what was waited for.
pub async fn eventually_async<F>(within: Duration, what: &(impl Display + ?Sized), mut condition: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < within, "not within {within:?}: {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}
