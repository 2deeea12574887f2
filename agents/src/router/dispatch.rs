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
use uuid::Uuid;

use super::ask::{self, Answer, ById};
use super::handing::{Handing, Item};
use super::letters;
use super::retry::DeadLetter;
use super::worker::Asking;
use crate::AgentError;

/// How often rows are looked for: agents put work aside as well, and need not say so.
const LOOK: Duration = Duration::from_millis(500);

const DUE: &str = "\
SELECT work_id, work_message::text, reason = 'retry' FROM lifestream.pending_retries
WHERE not_before <= now() ORDER BY not_before LIMIT 500 FOR UPDATE SKIP LOCKED";

/// A row that somebody else has written, and that is no work: looked at again only after a while.
const SET_BACK: &str =
    "UPDATE lifestream.pending_retries SET not_before = now() + interval '1 hour' WHERE work_id = ANY ($1)";

const DELETE: &str = "DELETE FROM lifestream.pending_retries WHERE work_id = ANY ($1)";

/// How many rows are due, whoever has them locked.
pub const COUNT_DUE: &str = "SELECT count(*) FROM lifestream.pending_retries WHERE not_before <= now()";

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

/// A due row.
struct Waiting {
    id: Uuid,
    message: String,
    /// Whether it is another attempt. What an agent has put off is still the one that its guard has let through: asked
    /// again, it would be refused to a new version of the agent's group, which does all work anew.
    is_retry: bool,
}

/// What becomes of due rows.
#[derive(Default)]
struct Decided {
    /// Each with its row.
    send: Vec<(Uuid, Work)>,
    dead: Vec<DeadLetter>,
    /// Rows that go, once the rest is safe.
    gone: Vec<Uuid>,
    set_back: Vec<Uuid>,
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
            let wait = match self.round().await {
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
    async fn round(&mut self) -> Result<usize, AgentError> {
        let rows = match self.rows.take() {
            Some(session) if !session.client.is_closed() => session,
            _ => postgres::connect(&self.postgres, "router").await?,
        };
        let settled = self.settle(&rows.client).await;
        // After an error the connection goes, and its locks with it.
        if settled.is_ok() {
            self.rows = Some(rows);
        }
        settled
    }

    async fn settle(&mut self, rows: &Client) -> Result<usize, AgentError> {
        rows.batch_execute("BEGIN").await?;
        let mut waiting = Vec::new();
        for row in rows.query(DUE, &[]).await? {
            waiting.push(Waiting { id: row.try_get(0)?, message: row.try_get(1)?, is_retry: row.try_get(2)? });
        }
        if waiting.is_empty() {
            rows.batch_execute("COMMIT").await?;
            return Ok(0);
        }
        let mut decided = self.decide(&waiting).await?;
        let items: Vec<Item<'_>> = decided.send.iter().map(|(_, work)| Item::Work(work)).collect();
        let mut sent = HashSet::new();
        let handed = self.handing.hand(&items, &mut sent).await;
        failpoint!("retry.produced");
        let refused = match handed {
            Ok(refused) => refused,
            Err(error) => {
                // What Kafka has is not sent again with the rest.
                let done = decided.send.iter().filter(|(_, work)| sent.contains(&work.id)).map(|(row, _)| *row);
                rows.execute(DELETE, &[&done.collect::<Vec<_>>()]).await?;
                rows.batch_execute("COMMIT").await?;
                return Err(error);
            }
        };
        for (number, reason) in refused {
            decided.dead.push(given_up(decided.send.swap_remove(number).1, format!("Kafka refuses it: {reason}")));
        }
        if let Some(asking) = &self.asking {
            letters::emit(&asking.session.client, decided.dead).await?;
        }
        rows.execute(DELETE, &[&decided.gone]).await?;
        if !decided.set_back.is_empty() {
            rows.execute(SET_BACK, &[&decided.set_back]).await?;
        }
        rows.batch_execute("COMMIT").await?;
        failpoint!("retry.deleted");
        Ok(waiting.len())
    }

    async fn decide(&mut self, waiting: &[Waiting]) -> Result<Decided, AgentError> {
        let asking = match self.asking.take() {
            Some(mut asking) if !asking.session.client.is_closed() => {
                asking.refresh().await?;
                asking
            }
            _ => Asking::open(&self.postgres).await?,
        };
        let asking = self.asking.insert(asking);
        let mut decided = Decided::default();
        let mut works = Vec::new();
        for Waiting { id, message, is_retry } in waiting {
            match Work::parse(message.as_bytes()) {
                // Anybody who may emit can ask for a retry of whatever they name. (What an agent has put off has its topic.)
                Ok(work) if *is_retry && !asking.plan.makes(&work.work_type) => {
                    decided.gone.push(*id);
                    let error = format!(
                        "no route makes work {:?}: add one with lifestream.add_route, then retry it",
                        work.work_type
                    );
                    decided.dead.push(given_up(work, error));
                }
                Ok(work) if *is_retry || work.is_omitted() => works.push((*id, work)),
                Ok(work) => {
                    decided.gone.push(*id);
                    decided.send.push((*id, work));
                }
                Err(error) => {
                    tracing::error!(work_id = %id, "a row of lifestream.pending_retries is no work: {error}");
                    decided.set_back.push(*id);
                }
            }
        }
        let question =
            |(_, work): &(Uuid, Work)| (work.work_type.clone(), work.triggered_by_event_id, work.is_omitted());
        let asked: Vec<_> = works.iter().map(question).collect();
        let questions: Vec<_> = asked
            .iter()
            .map(|(work_type, event_id, payload)| ById { work_type, event_id: *event_id, payload: *payload })
            .collect();
        let answers = ask::by_id(&asking.session.client, &asking.plan, &questions).await?;
        for ((id, mut work), answer) in works.into_iter().zip(answers) {
            decided.gone.push(id);
            match answer {
                Answer::No => tracing::debug!(work_id = %id, "needs no retry any more"),
                Answer::Broken(error) => decided.dead.push(given_up(work, error)),
                // Nobody knows anything about it: absent state means yes.
                Answer::Unknown if work.is_omitted() => {
                    decided.dead.push(given_up(work, "the event with its payload is gone".to_owned()));
                }
                Answer::Unknown => decided.send.push((id, work)),
                Answer::Yes(payload) => {
                    work.payload = payload.unwrap_or(work.payload);
                    decided.send.push((id, work));
                }
            }
        }
        Ok(decided)
    }
}

fn given_up(work: Work, error: String) -> DeadLetter {
    let cause = work.triggered_by_event_id;
    DeadLetter::of_router(work, error, Timestamp::now(), cause)
}
