//! Sessions that emit all the while, and what must have come of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lifestream_tests::Pipeline;
use lifestream_tests::oracle::{Oracle, Verdict};

use crate::SOON;

/// Writers that emit until they are told to stop, each for subjects of its own, reconnecting when they must.
pub struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<tokio::task::JoinHandle<()>>,
    oracle: Arc<Oracle>,
}

impl Load {
    pub fn start(url: &str, writers: usize) -> Self {
        let (stop, oracle) = (Arc::new(AtomicBool::new(false)), Arc::new(Oracle::default()));
        let writers = (0..writers)
            .map(|writer| tokio::spawn(write(url.to_owned(), writer, Arc::clone(&stop), Arc::clone(&oracle))))
            .collect();
        Self { stop, writers, oracle }
    }

    /// Waits until so many more events are committed.
    pub async fn more(&self, events: usize) {
        let target = self.oracle.committed() + events;
        lifestream_tests::eventually_async(SOON, "the writers go on", || async { self.oracle.committed() >= target })
            .await;
    }

    pub async fn stop(self) -> Arc<Oracle> {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            writer.await.unwrap();
        }
        self.oracle
    }
}

async fn write(url: String, writer: usize, stop: Arc<AtomicBool>, oracle: Arc<Oracle>) {
    let subjects = [format!("writer-{writer}-a"), format!("writer-{writer}-b")];
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        let Ok((mut client, connection)) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        tokio::spawn(async move { drop(connection.await) });
        while !stop.load(Ordering::Relaxed) && !client.is_closed() {
            n += 1;
            let events = [subjects[0].as_str(), subjects[1].as_str(), subjects[0].as_str()];
            oracle.emit(&mut client, "load.done", &events[..1 + n % 3], n % 5 != 0).await;
        }
    }
}

pub fn assert_nothing_wrong(oracle: &Oracle, pipeline: &Pipeline<'_>) {
    let verdict = oracle.judge(&pipeline.events(), None);
    assert_eq!(verdict, Verdict::default(), "{} events were committed", oracle.committed());
    assert!(oracle.committed() > 0);
}
