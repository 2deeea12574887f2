//! A part of the program in the test's own process.

use std::fmt::Debug;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A part that runs beside the test.
pub struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Starts it; the token that it is given tells it to stop.
    pub fn start<F, E>(part: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Debug,
    {
        let shutdown = CancellationToken::new();
        let part = part(shutdown.clone());
        Self { shutdown, task: tokio::spawn(async move { part.await.expect("the part ends well") }) }
    }

    /// Tells it to stop, and waits until it has.
    ///
    /// # Panics
    /// If it failed.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.end().await;
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// If it failed.
    pub async fn end(self) {
        self.task.await.expect("the part ends well");
    }
}
