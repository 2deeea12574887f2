//! Group commit: while one publication is under way, the works that arrive gather, and the next one does all of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as Mailbox};

use tokio::sync::{Mutex, oneshot};

use super::error::PublishError;
use super::index::Index;
use super::look::Look;
use super::writer::{Extent, Published, Writer};
use crate::Database;
use crate::runner::Failure;

/// Links at most in one publication.
const MOST: usize = 500;

/// What one work is told: what the folder shows since.
pub type Answer = Result<(Arc<Index>, Arc<Look>), Failure>;

struct Asked {
    subject: String,
    answer: oneshot::Sender<Answer>,
}

/// One writer that many works share.
pub struct Together {
    waiting: Mailbox<Vec<Asked>>,
    writer: Mutex<Writer>,
    publications: AtomicUsize,
}

impl Together {
    /// Over a writer.
    pub fn new(writer: Writer) -> Self {
        Self { waiting: Mailbox::default(), writer: Mutex::new(writer), publications: AtomicUsize::new(0) }
    }

    /// How often the folder was brought up to date.
    pub fn publications(&self) -> usize {
        self.publications.load(Ordering::Relaxed)
    }

    /// Brings everything up to date.
    ///
    /// # Errors
    /// The folder or the database.
    pub async fn everything(&self, database: &Database) -> Result<Published, PublishError> {
        let mut writer = self.writer.lock().await;
        let client = database.client().await?;
        self.publications.fetch_add(1, Ordering::Relaxed);
        writer.publish(&client, Extent::Everything).await
    }

    /// Brings a link up to date, together with those that others ask for at the time.
    ///
    /// # Errors
    /// The folder or the database; it may pass.
    pub async fn link(&self, database: &Database, subject: &str) -> Answer {
        let mut answer = self.ask(subject);
        loop {
            let mut writer = self.writer.lock().await;
            match answer.try_recv() {
                Ok(answer) => return answer,
                // Whoever took it up was broken off before it was done.
                Err(oneshot::error::TryRecvError::Closed) => answer = self.ask(subject),
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
            let asked = self.take();
            let subjects: Vec<String> = asked.iter().map(|asked| asked.subject.clone()).collect();
            self.publications.fetch_add(1, Ordering::Relaxed);
            let published = match database.client().await {
                Ok(client) => writer.publish(&client, Extent::Links(&subjects)).await,
                Err(error) => Err(error.into()),
            };
            let result = match published {
                Ok(published) => {
                    tracing::debug!(links = subjects.len(), done = ?published.done, "publisher: brought up to date");
                    Ok((published.index, published.look))
                }
                Err(error) => Err(Failure::from(error)),
            };
            for asked in asked {
                // Who does not wait any more does not need it.
                drop(asked.answer.send(result.clone()));
            }
        }
    }

    fn ask(&self, subject: &str) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        self.mailbox().push(Asked { subject: subject.to_owned(), answer: sender });
        receiver
    }

    /// The first of those that wait, in their order.
    fn take(&self) -> Vec<Asked> {
        let mut waiting = self.mailbox();
        let count = waiting.len().min(MOST);
        waiting.drain(..count).collect()
    }

    /// Nothing can panic while it is held.
    fn mailbox(&self) -> std::sync::MutexGuard<'_, Vec<Asked>> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
