//! Giving work up: dead letters are facts, emitted under ids derived from the work.

use lifestream_envelope::work::Work;
use serde::Serialize;
use tokio_postgres::Client;
use uuid::Uuid;

use super::retry::DeadLetter;
use crate::AgentError;
use crate::materializer::{describe, is_of_data};

const EMIT: &str = "SELECT count(*) FROM lifestream.emit_events($1::text::jsonb)";

/// The type of the event.
pub const DEAD_LETTERED: &str = "work.dead_lettered";

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
    work_message: &'a Work,
    error: &'a str,
    agent: &'a str,
    failed_at: jiff::Timestamp,
}

impl<'a> Entry<'a> {
    fn of(letter: &'a DeadLetter) -> Self {
        let work = &letter.work;
        Self {
            event_type: DEAD_LETTERED,
            source: "router",
            subject: "work",
            subject_id: &work.subject_id,
            tenant_id: &work.tenant_id,
            id: letter.id,
            correlation_id: work.correlation_id,
            causation_id: letter.causation_id,
            headers: Headers { traceparent: work.traceparent.as_deref() },
            payload: Payload {
                work_message: work,
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
/// What is not a letter's own fault: to be tried again.
pub async fn emit(client: &Client, letters: Vec<DeadLetter>) -> Result<(), AgentError> {
    if letters.is_empty() {
        return Ok(());
    }
    for letter in &letters {
        let work = &letter.work;
        tracing::warn!(
            work_type = work.work_type,
            subject_id = work.subject_id,
            attempt = work.attempt,
            agent = letter.agent,
            error = letter.error,
            "work given up; see lifestream.dead_letters"
        );
    }
    match emit_all(client, &letters).await {
        Err(error) if is_of_data(&error) => {}
        ended => return ended.map_err(Into::into),
    }
    for letter in letters {
        emit_one(client, letter).await?;
    }
    Ok(())
}

/// One that is refused goes without what may be to blame: an event has a largest size, and a work message is larger than
/// the event that asked for it.
async fn emit_one(client: &Client, mut letter: DeadLetter) -> Result<(), AgentError> {
    match emit_all(client, std::slice::from_ref(&letter)).await {
        Err(error) if is_of_data(&error) => {}
        ended => return ended.map_err(Into::into),
    }
    letter.work.omit_payload();
    letter.work.traceparent = None;
    letter.work.last_error = None;
    letter.error = letter.error.chars().filter(|character| *character != '\0').take(10_000).collect();
    match emit_all(client, std::slice::from_ref(&letter)).await {
        Err(error) if is_of_data(&error) => {
            let (id, work_id) = (letter.id, letter.work.id);
            tracing::error!(%id, %work_id, "a dead letter cannot be emitted and is lost: {}", describe(&error));
            Ok(())
        }
        ended => ended.map_err(Into::into),
    }
}

async fn emit_all(client: &Client, letters: &[DeadLetter]) -> Result<(), tokio_postgres::Error> {
    let entries: Vec<Entry<'_>> = letters.iter().map(Entry::of).collect();
    // Every field has a JSON form.
    let json = serde_json::to_string(&entries).unwrap_or_default();
    client.execute(EMIT, &[&json]).await.map(|_| ())
}
