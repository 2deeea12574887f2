//! The dispatcher: sends work that has waited for its time.
//!
//! A row is locked, its work is sent, and only then it goes: a crash in between sends the same work, with the same id,
//! once more. Routers share the rows by skipping those that another has locked.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lifestream_envelope::kafka::Kafka;
use lifestream_envelope::outage::Outage;
use lifestream_envelope::postgres::{self, Session};
use lifestream_envelope::settings::PostgresSettings;
use lifestream_envelope::work::Work;
use lifestream_envelope::{backoff, failpoint};
use tokio::sync::Notify;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use super::answered;
use super::ask::{self, Answer, ById};
use super::handing::{Handing, Item};
use super::letters::{self, DeadLetter};
use super::pending::{self, Key, Waiting};
use super::worker::Asking;
use crate::AgentError;

/// How often rows are looked for: agents put work aside as well, and need not say so.
const LOOK: Duration = Duration::from_millis(500);

/// Sends what is due.
pub struct Dispatcher {
    postgres: PostgresSettings,
    /// Holds the locks.
    rows: Option<Session>,
    /// Asks guards, beside the transaction that holds the locks: a guard that raises ends none.
    asking: Option<Asking>,
    handing: Handing,
    woken: Arc<Notify>,
}

/// What becomes of due rows.
#[derive(Default)]
struct Decided {
    /// Each with its row.
    send: Vec<(Key, Work)>,
    dead: Vec<DeadLetter>,
    /// Rows that go, once the rest is safe.
    gone: Vec<Key>,
    set_back: Vec<Key>,
}

impl Dispatcher {
    /// Connects when it is first needed; `woken` is told when rows may have come.
    pub fn new(postgres: &PostgresSettings, kafka: &Kafka, woken: Arc<Notify>) -> Self {
        Self { postgres: postgres.clone(), rows: None, asking: None, handing: Handing::new(kafka), woken }
    }

    /// Works until `shutdown`; Kafka or Postgres being away is waited out.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut outage = Outage::new("router: retries");
        let mut waits = backoff::forever();
        while !shutdown.is_cancelled() {
            let wait = match self.round(&shutdown).await {
                // There may be more.
                Ok(sent) if sent > 0 => Duration::ZERO,
                Ok(_) => {
                    outage.over();
                    waits = backoff::forever();
                    LOOK
                }
                Err(error) => {
                    outage.down(&error);
                    (self.rows, self.asking) = (None, None);
                    waits.next().unwrap_or_default()
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.woken.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Sends what is due now, some hundred at a time; gives how many rows that settled.
    async fn round(&mut self, shutdown: &CancellationToken) -> Result<usize, AgentError> {
        let rows = match self.rows.take() {
            Some(session) if !session.client.is_closed() => session,
            _ => postgres::connect(&self.postgres, "router").await?,
        };
        let settled = self.settle(&rows.client, shutdown).await;
        // After an error the connection goes, and its locks with it.
        if settled.is_ok() {
            self.rows = Some(rows);
        }
        settled
    }

    async fn settle(&mut self, rows: &Client, shutdown: &CancellationToken) -> Result<usize, AgentError> {
        let waiting = pending::take(rows).await?;
        if waiting.is_empty() {
            pending::settle(rows, &[], &[]).await?;
            return Ok(0);
        }
        let mut decided = self.decide(&waiting, shutdown).await?;
        let items: Vec<Item<'_>> = decided.send.iter().map(|(_, work)| Item::Work(work)).collect();
        let mut sent = HashSet::new();
        let handed = self.handing.hand(&items, &mut sent).await;
        failpoint!("retry.produced");
        let refused = match handed {
            Ok(refused) => refused,
            Err(error) => {
                // What Kafka has is not sent again with the rest.
                decided.send.retain(|(_, work)| sent.contains(&work.id));
                let done: Vec<Key> = decided.send.into_iter().map(|(key, _)| key).collect();
                pending::settle(rows, &done, &[]).await?;
                return Err(error);
            }
        };
        for (number, reason) in refused {
            let (key, work) = decided.send.swap_remove(number);
            decided.dead.push(given_up(&key, work, format!("Kafka refuses it: {reason}")));
        }
        if let Some(asking) = &self.asking
            && let Err(error) = letters::emit(&asking.session.client, decided.dead).await
        {
            // As above: only what has no letter yet comes again.
            let done: Vec<Key> = decided.send.into_iter().map(|(key, _)| key).collect();
            pending::settle(rows, &done, &[]).await?;
            return Err(error);
        }
        pending::settle(rows, &decided.gone, &decided.set_back).await?;
        failpoint!("retry.deleted");
        Ok(waiting.len())
    }

    async fn decide(&mut self, waiting: &[Waiting], shutdown: &CancellationToken) -> Result<Decided, AgentError> {
        let mut decided = Decided::default();
        let asking = match self.asking.take() {
            Some(mut asking) if !asking.session.client.is_closed() => {
                asking.refresh().await?;
                asking
            }
            _ => Asking::open(&self.postgres).await?,
        };
        let asking = self.asking.insert(asking);
        let client = &asking.session.client;
        let mut works = Vec::new();
        for Waiting { key, message, is_retry } in waiting {
            match Work::parse(message.as_bytes()) {
                // Anybody who may emit can ask for a retry of whatever they name. (What an agent has put off has its topic.)
                Ok(work) if *is_retry && !asking.plan.makes(&work.work_type) => {
                    decided.gone.push(key.clone());
                    let error = format!(
                        "no route makes work {:?}: add one with lifestream.add_route, then retry it",
                        work.work_type
                    );
                    decided.dead.push(given_up(key, work, error));
                }
                Ok(work) => {
                    decided.gone.push(key.clone());
                    if *is_retry || work.is_omitted() {
                        works.push((key, work));
                    } else {
                        decided.send.push((key.clone(), work));
                    }
                }
                Err(error) => {
                    tracing::error!(work_id = %key.work_id, "a row of lifestream.pending_retries is no work: {error}");
                    decided.set_back.push(key.clone());
                }
            }
        }
        let wanted: Vec<_> = works.iter().map(|(key, work)| (key.group.as_str(), work)).collect();
        let settled = answered::by_their_group(client, &wanted).await?;
        let mut place = 0..;
        works.retain(|(key, _)| {
            let is_settled = place.next().is_some_and(|place| settled.contains(&place));
            if is_settled {
                tracing::debug!(work_id = %key.work_id, group = key.group, "answered by its group already");
            }
            !is_settled
        });
        let wanted: Vec<_> = works.iter().map(|(key, work)| (key.group.as_str(), work)).collect();
        let with_facts = answered::with_facts(client, &wanted).await?;
        let question = |(place, (key, work)): (usize, &(&Key, Work))| {
            // A no may only say that another group has done the work.
            let guarded = key.group.is_empty() || !with_facts.contains(&place);
            (work.work_type.clone(), work.triggered_by_event_id, work.is_omitted(), guarded)
        };
        let asked: Vec<_> = works.iter().enumerate().map(question).collect();
        let questions: Vec<_> = asked
            .iter()
            .map(|(work_type, event_id, payload, guarded)| {
                let (event_id, payload, guarded) = (*event_id, *payload, *guarded);
                ById { work_type, event_id, payload, guarded }
            })
            .collect();
        let answers = ask::by_id(client, &asking.plan, &questions, shutdown).await?;
        for ((key, mut work), answer) in works.into_iter().zip(answers) {
            match answer {
                Answer::No => tracing::debug!(work_id = %key.work_id, "needs no retry any more"),
                Answer::Broken(error) => decided.dead.push(given_up(key, work, error)),
                // Nobody knows anything about it: absent state means yes.
                Answer::Unknown if work.is_omitted() => {
                    decided.dead.push(given_up(key, work, "the event with its payload is gone".to_owned()));
                }
                Answer::Unknown => decided.send.push((key.clone(), work)),
                Answer::Yes(payload) => {
                    work.payload = payload.unwrap_or(work.payload);
                    decided.send.push((key.clone(), work));
                }
            }
        }
        Ok(decided)
    }
}

/// The group that wants it goes along, so that each has its own letter, and a retry of that is the group's again.
fn given_up(key: &Key, work: Work, error: String) -> DeadLetter {
    let (cause, now) = (work.triggered_by_event_id, Timestamp::now());
    match key.group.as_str() {
        "" => DeadLetter::of_router(work, error, now, cause),
        group => DeadLetter::of_work(work, error, group.to_owned(), now, cause),
    }
}
