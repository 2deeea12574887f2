//! Giving work up: dead letters are facts, emitted under derived ids.

use jiff::Timestamp;
use lifestream_envelope::event::Event;
use lifestream_envelope::work::Work;
use lifestream_envelope::{headers, ids};
use serde::Serialize;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::AgentError;
use crate::materializer::{describe, is_of_data};
use crate::runner::shortened;

const EMIT: &str = "SELECT count(*) FROM lifestream.emit_events($1::text::jsonb)";

/// The type of the event.
pub const DEAD_LETTERED: &str = "work.dead_lettered";

/// Who gives up what no agent has had.
pub const ROUTER: &str = "router";

/// So much of what holds no work is told, in bytes; all of it stays in the event that held it.
const LONGEST_RAW: usize = 100_000;
/// What is told where even that is refused: it fits into the smallest `lifestream.max_event_bytes`.
const SHORTEST_RAW: usize = 100;
/// Longer words of an error are cut, in bytes.
const LONGEST_ERROR: usize = 10_000;
/// A longer name of an agent is cut, in bytes.
const LONGEST_AGENT: usize = 100;

/// Work that will not be tried again by itself, or what should have been work.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Id of the `work.dead_lettered`.
    pub id: Uuid,
    /// What it is about.
    pub subject_id: String,
    /// Whose that is.
    pub tenant_id: String,
    /// What belongs together.
    pub correlation_id: Option<Uuid>,
    /// The event that it follows from.
    pub causation_id: Uuid,
    /// W3C trace context, if there is one.
    pub traceparent: Option<String>,
    /// What is given up.
    pub message: Message,
    /// Why.
    pub error: String,
    /// Who says so: the group that failed, or `router`.
    pub agent: String,
    /// When it failed.
    pub failed_at: Timestamp,
}

/// What a dead letter is of.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Message {
    /// Work: it can be retried.
    Work(Box<Work>),
    /// Anything else, as text: it can only be discarded.
    Raw {
        /// The text.
        raw: String,
    },
}

impl DeadLetter {
    /// Of work that `agent`, a group, has failed to do.
    pub fn of_work(work: Work, error: String, agent: String, failed_at: Timestamp, causation_id: Uuid) -> Self {
        Self {
            id: ids::dead_letter_id(&agent, work.id),
            subject_id: work.subject_id.clone(),
            tenant_id: work.tenant_id.clone(),
            correlation_id: work.correlation_id,
            causation_id,
            traceparent: work.traceparent.clone(),
            message: Message::Work(Box::new(work)),
            error,
            agent,
            failed_at,
        }
    }

    /// Of work that the router itself could not hand on.
    pub fn of_router(work: Work, error: String, failed_at: Timestamp, causation_id: Uuid) -> Self {
        Self::of_work(work, error, ROUTER.to_owned(), failed_at, causation_id)
    }

    /// Of an event that should hold work and holds none. It is about the event, not about the subject of that: there it
    /// could wait behind the event itself, which the materializer parks.
    pub fn of_event(event: &Event, raw: &str, why: &str) -> Self {
        Self {
            id: ids::unreadable_id(event.id),
            subject_id: format!("event:{}", event.id),
            tenant_id: event.tenant_id.clone(),
            correlation_id: event.correlation_id,
            causation_id: event.id,
            traceparent: event.headers.get(headers::TRACEPARENT).cloned(),
            message: Message::Raw { raw: shortened(raw, LONGEST_RAW) },
            error: format!("{} holds no work that can be tried again: {why}", event.event_type),
            agent: ROUTER.to_owned(),
            failed_at: event.occurred_at,
        }
    }

    /// The same in fewer words, and without what may be to blame: an event has a largest size, and a work message is larger
    /// than the event that asked for it.
    fn bare(&self) -> Self {
        let mut letter = self.clone();
        letter.traceparent = None;
        letter.error = shortened(&self.error, LONGEST_ERROR);
        letter.agent = shortened(&self.agent, LONGEST_AGENT);
        if let Message::Work(work) = &mut letter.message {
            work.omit_payload();
            work.traceparent = None;
            work.last_error = None;
        }
        letter
    }

    /// The message as text, about a subject of its own: nothing of it is needed to be as it should.
    fn raw(&self, tenant_id: &str, refused: &str, most: usize) -> Self {
        let id = ids::unreadable_id(self.id);
        let raw = match &self.message {
            // Every field has a JSON form.
            Message::Work(work) => serde_json::to_string(work).unwrap_or_default(),
            Message::Raw { raw } => raw.clone(),
        };
        let error = format!("{} (and the dead letter was refused: {refused})", shortened(&self.error, most / 2));
        Self {
            id,
            subject_id: format!("letter:{id}"),
            tenant_id: tenant_id.to_owned(),
            traceparent: None,
            message: Message::Raw { raw: shortened(&raw, most) },
            error: shortened(&error, most),
            agent: shortened(&self.agent, LONGEST_AGENT),
            ..self.clone()
        }
    }

    fn log(&self) {
        let (id, subject_id, agent, error) = (self.id, &self.subject_id, &self.agent, &self.error);
        match &self.message {
            Message::Work(work) => {
                let (work_type, attempt) = (&work.work_type, work.attempt);
                tracing::warn!(%id, work_type, subject_id, attempt, agent, error, "work given up; see lifestream.dead_letters");
            }
            Message::Raw { .. } => {
                tracing::warn!(%id, subject_id, agent, error, "no work; see lifestream.dead_letters")
            }
        }
    }
}

#[derive(Serialize)]
struct Entry<'a> {
    event_type: &'a str,
    source: &'a str,
    subject: &'a str,
    subject_id: &'a str,
    tenant_id: &'a str,
    id: Uuid,
    correlation_id: Option<Uuid>,
    causation_id: Uuid,
    headers: Headers<'a>,
    payload: Payload<'a>,
}

#[derive(Serialize)]
struct Headers<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
}

#[derive(Serialize)]
struct Payload<'a> {
    work_message: &'a Message,
    error: &'a str,
    agent: &'a str,
    failed_at: Timestamp,
}

impl<'a> Entry<'a> {
    fn of(letter: &'a DeadLetter) -> Self {
        Self {
            event_type: DEAD_LETTERED,
            source: ROUTER,
            subject: "work",
            subject_id: &letter.subject_id,
            tenant_id: &letter.tenant_id,
            id: letter.id,
            correlation_id: letter.correlation_id,
            causation_id: letter.causation_id,
            headers: Headers { traceparent: letter.traceparent.as_deref() },
            payload: Payload {
                work_message: &letter.message,
                error: &letter.error,
                agent: &letter.agent,
                failed_at: letter.failed_at,
            },
        }
    }
}

/// Emits them; one that was emitted before stays as it was. Each is logged.
///
/// # Errors
/// Not all could be emitted: to be tried again.
pub async fn emit(client: &Client, letters: Vec<DeadLetter>) -> Result<(), AgentError> {
    if letters.is_empty() {
        return Ok(());
    }
    for letter in &letters {
        letter.log();
    }
    match emit_all(client, &letters).await {
        Err(error) if is_of_data(&error) => {}
        ended => return ended.map_err(Into::into),
    }
    for letter in letters {
        emit_one(client, &letter).await?;
    }
    Ok(())
}

/// One that is refused is told in fewer words, until it is taken.
async fn emit_one(client: &Client, letter: &DeadLetter) -> Result<(), AgentError> {
    let refused = match emit_all(client, std::slice::from_ref(letter)).await {
        Err(error) if is_of_data(&error) => error,
        ended => return ended.map_err(Into::into),
    };
    let why = describe(&refused);
    tracing::warn!(id = %letter.id, "a dead letter is refused and told in fewer words: {why}");
    let mut refused = refused;
    for fewer in [
        letter.bare(),
        letter.raw(&letter.tenant_id, &why, LONGEST_RAW),
        letter.raw(&letter.tenant_id, &why, SHORTEST_RAW),
        letter.raw("", &why, SHORTEST_RAW),
    ] {
        match emit_all(client, &[fewer]).await {
            Err(error) if is_of_data(&error) => refused = error,
            ended => return ended.map_err(Into::into),
        }
    }
    Err(refused.into())
}

async fn emit_all(client: &Client, letters: &[DeadLetter]) -> Result<(), tokio_postgres::Error> {
    let entries: Vec<Entry<'_>> = letters.iter().map(Entry::of).collect();
    // Every field has a JSON form.
    let json = serde_json::to_string(&entries).unwrap_or_default();
    client.execute(EMIT, &[&json]).await.map(|_| ())
}
