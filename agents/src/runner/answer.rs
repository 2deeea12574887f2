//! What the runner tells the database: an answer under its derived id, and work that is put off.

use std::time::Duration;

use jiff::Timestamp;
use lifestream_envelope::ids;
use lifestream_envelope::work::Work;
use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::agent::{Fact, Failure};
use super::queue::Reason;
use crate::{AgentError, Database};

/// Longer words of an error are cut.
pub const LONGEST_ERROR: usize = 2_000;

/// An event that is to be emitted. Emitted twice, it is one.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Derived.
    pub id: Uuid,
    /// Of the event.
    pub event_type: String,
    /// Of the event.
    pub subject: String,
    /// Of the event.
    pub subject_id: String,
    /// Of the event.
    pub tenant_id: String,
    /// A JSON object, as text.
    pub payload: String,
    /// What belongs together.
    pub correlation_id: Option<Uuid>,
    /// The event that asked for the work.
    pub causation_id: Option<Uuid>,
    /// W3C trace context, if there is one.
    pub traceparent: Option<String>,
}

impl Answer {
    /// What came of the work.
    pub fn fact(group: &str, work: &Work, fact: Fact) -> Self {
        let subject = if work.subject.is_empty() { "work" } else { &work.subject };
        Self::to(group, work, fact.event_type, subject, fact.payload.to_string())
    }

    /// The work failed. The agent is named by its group, which tells its version.
    pub fn failure(group: &str, work: &Work, failure: &Failure) -> Self {
        let not_before = match failure {
            Failure::Passing { not_before, .. } => not_before.map(|time| time.to_string()),
            Failure::NotYet { .. } | Failure::Permanent { .. } => None,
        };
        let failed = Failed {
            work_message: work,
            error: shortened(failure.error(), LONGEST_ERROR),
            agent: group,
            permanent: matches!(failure, Failure::Permanent { .. }),
            not_before,
        };
        let payload = serde_json::to_string(&failed).unwrap_or_default();
        Self::to(group, work, "work.failed", "work", payload)
    }

    fn to(group: &str, work: &Work, event_type: &str, subject: &str, payload: String) -> Self {
        Self {
            id: ids::result_id(group, work.id),
            event_type: event_type.to_owned(),
            subject: subject.to_owned(),
            subject_id: work.subject_id.clone(),
            tenant_id: work.tenant_id.clone(),
            payload,
            correlation_id: work.correlation_id,
            causation_id: Some(work.triggered_by_event_id),
            traceparent: work.traceparent.clone().filter(|text| is_traceparent(text)),
        }
    }

    /// Emits it.
    ///
    /// # Errors
    /// See [`super::refusal`].
    pub async fn emit(&self, database: &Database, source: &str) -> Result<(), AgentError> {
        const EMIT: &str = "SELECT lifestream.emit_event(event_type => $1, subject => $2, subject_id => $3, \
            payload => $4::text::jsonb, source => $5, id => $6, correlation_id => $7, causation_id => $8, tenant_id => $9, \
            headers => CASE WHEN $10::text IS NOT NULL THEN jsonb_build_object('traceparent', $10::text) END)";
        let parameters: [&(dyn ToSql + Sync); 10] = [
            &self.event_type,
            &self.subject,
            &self.subject_id,
            &self.payload,
            &source,
            &self.id,
            &self.correlation_id,
            &self.causation_id,
            &self.tenant_id,
            &self.traceparent,
        ];
        query(database, EMIT, &parameters).await?;
        Ok(())
    }
}

/// Whether the work has been answered by this group.
///
/// # Errors
/// The database does not answer.
pub async fn is_answered(database: &Database, group: &str, work: &Work) -> Result<bool, AgentError> {
    exists(database, ids::result_id(group, work.id)).await
}

/// Whether there is an event with this id.
///
/// # Errors
/// The database does not answer.
pub async fn exists(database: &Database, id: Uuid) -> Result<bool, AgentError> {
    let rows = query(database, "SELECT FROM lifestream.all_events WHERE id = $1", &[&id]).await?;
    Ok(!rows.is_empty())
}

/// Puts work off. A row that is there already (this very message came from it) is put off again: the router deletes it in
/// the transaction that it sent it in, and this statement waits for the end of that.
///
/// # Errors
/// The database does not answer.
pub async fn put_off(
    database: &Database,
    group: &str,
    work: &Work,
    reason: Reason,
    wait: Duration,
) -> Result<(), AgentError> {
    const DEFER: &str = "INSERT INTO lifestream.pending_retries AS r \
        (work_id, consumer_group, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message) \
        VALUES ($1, $2, $3, $4, $5, $6, $7::text::timestamptz, $8, $9::text::jsonb) \
        ON CONFLICT (work_id, consumer_group) DO UPDATE SET not_before = excluded.not_before, reason = excluded.reason";
    let not_before = Timestamp::now().checked_add(wait).unwrap_or(Timestamp::MAX).to_string();
    let attempt = i32::try_from(work.attempt).unwrap_or(i32::MAX);
    let parameters: [&(dyn ToSql + Sync); 9] = [
        &work.id,
        &group,
        &work.work_type,
        &work.tenant_id,
        &work.subject_id,
        &attempt,
        &not_before,
        &reason.name(),
        &serde_json::to_string(work).unwrap_or_default(),
    ];
    query(database, DEFER, &parameters).await?;
    Ok(())
}

async fn query(
    database: &Database,
    statement: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, AgentError> {
    Ok(database.client().await?.query(statement, parameters).await?)
}

/// The payload of `work.failed`; as text, so that numbers in the message keep their digits.
#[derive(Serialize)]
struct Failed<'a> {
    work_message: &'a Work,
    error: String,
    agent: &'a str,
    permanent: bool,
    not_before: Option<String>,
}

/// Cut to so many bytes, at a character's bound.
pub fn shortened(text: &str, most: usize) -> String {
    // No text of PostgreSQL can hold a zero.
    let text = text.replace('\0', "\u{fffd}");
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}… ({} bytes in all)", &text[..end], text.len())
}

/// As `emit_event` takes it: four fields of lower-case hexadecimal, ids not all zero, version not ff.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, span, flags] = parts[..] else { return false };
    let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    [(version, 2), (trace, 32), (span, 16), (flags, 2)].iter().all(|(part, len)| part.len() == *len && is_hex(part))
        && version != "ff"
        && [trace, span].iter().all(|id| id.bytes().any(|byte| byte != b'0'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_failure_tells_the_message_with_every_digit_and_no_endless_error() {
        let work = Work::parse(
            br#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","subject_id":"s","work_type":"fetch_link",
            "correlation_id":null,"triggered_by_event_id":"01890a5d-ac96-774b-bcce-b302099a8058","attempt":1,
            "max_attempts":3,"created_at":"2026-01-01T00:00:00Z","not_before":null,"last_error":null,
            "traceparent":"nonsense","payload":{"n":1.10,"big":123456789012345678901234567890}}"#,
        )
        .unwrap();
        let failure = Failure::passing(format!("a\0{}", "é".repeat(5_000)));
        let answer = Answer::failure("g-v1", &work, &failure);
        assert!(answer.payload.contains(r#""payload":{"n":1.10,"big":123456789012345678901234567890}"#));
        let told: serde_json::Value = serde_json::from_str(&answer.payload).unwrap();
        let error = told["error"].as_str().unwrap();
        assert!(error.len() < 2_100 && error.ends_with("bytes in all)") && !error.contains('\0'), "{error}");
        assert_eq!((&told["permanent"], &told["agent"]), (&false.into(), &"g-v1".into()));
        assert_eq!((answer.id, answer.traceparent), (ids::result_id("g-v1", work.id), None));
    }

    #[test]
    fn a_trace_context_is_passed_on_only_where_it_will_be_taken() {
        assert!(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }
}
