//! Routing a batch: everything that it leads to is safe before its offsets are committed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use lifestream_envelope::kafka::Kafka;
use lifestream_envelope::outage::Outage;
use lifestream_envelope::postgres::{self, Session};
use lifestream_envelope::settings::{PostgresSettings, RetrySettings, Settings};
use lifestream_envelope::{backoff, failpoint};
use rdkafka::message::OwnedMessage;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::ask;
use super::batch::{Batch, Outcome};
use super::handing::{Handing, Item};
use super::letters::{self, DeadLetter};
use super::pending;
use super::plan::Plan;
use super::tags::Seen;
use crate::AgentError;

/// A guard is a question about one subject: a batch of them is answered long before. A limit of the role's or the
/// database's own counts.
const LIMIT: &str =
    "SELECT set_config('statement_timeout', '20s', false) WHERE current_setting('statement_timeout') = '0'";
/// Guards and maps find what they name unqualified where their owner's other sessions find it, then here.
const SEARCH_PATH: &str = "SELECT set_config('search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), 'lifestream'), false)";

/// A connection with the routes as they are registered.
pub struct Asking {
    /// The connection.
    pub session: Session,
    /// The routes.
    pub plan: Plan,
}

impl Asking {
    /// Connects and reads the routes.
    ///
    /// # Errors
    /// As the database has it.
    pub async fn open(settings: &PostgresSettings) -> Result<Self, AgentError> {
        let session = postgres::connect(settings, "router").await?;
        session.client.batch_execute("SET jit = off").await?;
        session.client.batch_execute(LIMIT).await?;
        session.client.batch_execute(SEARCH_PATH).await?;
        let plan = Plan::load(&session.client).await?;
        Ok(Self { session, plan })
    }

    /// Reads the routes again if they have changed, and says whether.
    ///
    /// # Errors
    /// As the database has it.
    pub async fn refresh(&mut self) -> Result<bool, AgentError> {
        let outdated = self.plan.is_outdated(&self.session.client).await?;
        if outdated {
            self.plan = Plan::load(&self.session.client).await?;
            tracing::info!(routes = self.plan.routes.len(), "routes read again");
        }
        Ok(outdated)
    }
}

/// Turns batches of events into work.
pub struct Worker {
    postgres: PostgresSettings,
    retry: RetrySettings,
    asking: Option<Asking>,
    handing: Handing,
    seen: Arc<Mutex<Seen>>,
    /// Told when something waits for its retry.
    woken: Arc<Notify>,
    outage: Outage,
}

impl Worker {
    /// Connects when it is first needed.
    pub fn new(settings: &Settings, kafka: &Kafka, seen: &Arc<Mutex<Seen>>, woken: &Arc<Notify>) -> Self {
        Self {
            postgres: settings.postgres.clone(),
            retry: settings.agents.retry,
            asking: None,
            handing: Handing::new(kafka),
            seen: Arc::clone(seen),
            woken: Arc::clone(woken),
            outage: Outage::new("router"),
        }
    }

    /// Routes records, for as long as that takes; `false` if it was told to stop before.
    pub async fn route(&mut self, records: &[OwnedMessage], shutdown: &CancellationToken) -> bool {
        let (mut waits, mut sent) = (backoff::forever(), HashSet::new());
        loop {
            match self.try_route(records, &mut sent, shutdown).await {
                Ok(()) => {
                    self.outage.over();
                    return true;
                }
                Err(error) => self.stumble(&error),
            }
            tokio::select! {
                () = tokio::time::sleep(waits.next().unwrap_or_default()) => {}
                () = shutdown.cancelled() => return false,
            }
        }
    }

    /// Takes up changed routes while nothing comes.
    ///
    /// # Errors
    /// What trying again cannot help.
    pub async fn look(&mut self) -> Result<(), AgentError> {
        match self.ready().await {
            Ok(_) => self.outage.over(),
            Err(error) if error.is_permanent() => return Err(error),
            Err(error) => self.stumble(&error),
        }
        Ok(())
    }

    fn stumble(&mut self, error: &AgentError) {
        self.outage.down(error);
        // What a statement has to say may be the connection's own trouble.
        if matches!(error, AgentError::Statement(_) | AgentError::Postgres(_)) {
            self.asking = None;
        }
    }

    /// The connection, with the routes as they are registered now and a topic for each.
    async fn ready(&mut self) -> Result<&Asking, AgentError> {
        let asking = match self.asking.take() {
            Some(mut asking) if !asking.session.client.is_closed() => {
                if asking.refresh().await? {
                    self.handing.topics(&asking.plan.work_types()).await?;
                }
                asking
            }
            _ => {
                let asking = Asking::open(&self.postgres).await?;
                self.handing.topics(&asking.plan.work_types()).await?;
                asking
            }
        };
        Ok(self.asking.insert(asking))
    }

    /// `sent` is what Kafka has of this batch already.
    async fn try_route(
        &mut self,
        records: &[OwnedMessage],
        sent: &mut HashSet<Uuid>,
        shutdown: &CancellationToken,
    ) -> Result<(), AgentError> {
        failpoint!("router.read");
        self.ready().await?;
        let Some(Asking { session, plan }) = self.asking.as_ref() else { return Ok(()) };
        let batch = Batch::read(records, plan);
        let tags = batch.tags.clone();
        let answers = ask::by_value(&session.client, plan, &batch.questions(plan), shutdown).await?;
        let Outcome { work, letters, retries, mut dead } = batch.decide(plan, answers, &self.retry);

        let items: Vec<Item<'_>> =
            work.iter().map(|(work, _)| Item::Work(work)).chain(letters.iter().map(Item::Letter)).collect();
        let refused = self.handing.hand(&items, sent).await?;
        failpoint!("router.produced");
        let pieces = work.len();
        let mut work = work;
        for (number, reason) in refused {
            if number < pieces {
                let (work, cause) = work.swap_remove(number);
                let now = work.created_at;
                dead.push(DeadLetter::of_router(work, format!("Kafka refuses it: {reason}"), now, cause));
            } else if let Some(letter) = letters.get(number - pieces) {
                tracing::error!(id = %letter.id, "Kafka refuses a dead letter; it is in lifestream.dead_letters: {reason}");
            }
        }
        let waits = !retries.is_empty();
        dead.extend(pending::keep(&session.client, retries).await?);
        letters::emit(&session.client, dead).await?;
        failpoint!("router.stored");
        if waits {
            self.woken.notify_one();
        }
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).tags(&tags);
        Ok(())
    }
}
