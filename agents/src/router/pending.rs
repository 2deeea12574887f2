//! Keeping work that waits for its time: `lifestream.pending_retries`.

use jiff::Timestamp;
use lifestream_envelope::work::Work;
use tokio_postgres::Client;
use uuid::Uuid;

use super::retry::DeadLetter;
use crate::AgentError;
use crate::materializer::{describe, is_of_data};

const KEEP: &str = "\
INSERT INTO lifestream.pending_retries (work_id, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message)
SELECT w.id, w.work_type, w.tenant_id, w.subject_id, w.attempt, w.not_before, 'retry', w.message::jsonb
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int4[], $6::timestamptz[], $7::text[])
     AS w (id, work_type, tenant_id, subject_id, attempt, not_before, message)
ON CONFLICT (work_id) DO NOTHING";

/// Keeps each until its `not_before`, with the event that says why it failed. Gives those that cannot be kept, as dead letters.
///
/// # Errors
/// What is not a work message's own fault: to be tried again.
pub async fn keep(client: &Client, retries: Vec<(Work, Uuid)>) -> Result<Vec<DeadLetter>, AgentError> {
    let mut refused = Vec::new();
    let all: Vec<&Work> = retries.iter().map(|(work, _)| work).collect();
    match insert(client, &all).await {
        Err(error) if is_of_data(&error) => {}
        ended => return ended.map(|()| refused).map_err(Into::into),
    }
    for (work, cause) in retries {
        match insert(client, &[&work]).await {
            Err(error) if is_of_data(&error) => {
                let error = format!("cannot be kept for its retry: {}", describe(&error));
                let failed_at = work.created_at;
                refused.push(DeadLetter::of_router(work, error, failed_at, cause));
            }
            ended => ended?,
        }
    }
    Ok(refused)
}

async fn insert(client: &Client, retries: &[&Work]) -> Result<(), tokio_postgres::Error> {
    if retries.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = retries.iter().map(|work| work.id).collect();
    let work_types: Vec<&str> = retries.iter().map(|work| work.work_type.as_str()).collect();
    let tenants: Vec<&str> = retries.iter().map(|work| work.tenant_id.as_str()).collect();
    let subjects: Vec<&str> = retries.iter().map(|work| work.subject_id.as_str()).collect();
    let attempts: Vec<i32> = retries.iter().map(|work| i32::try_from(work.attempt).unwrap_or(i32::MAX)).collect();
    let due: Vec<Timestamp> = retries.iter().map(|work| work.not_before.unwrap_or(work.created_at)).collect();
    // Every field has a JSON form.
    let messages: Vec<String> = retries.iter().map(|work| serde_json::to_string(work).unwrap_or_default()).collect();
    client.execute(KEEP, &[&ids, &work_types, &tenants, &subjects, &attempts, &due, &messages]).await.map(|_| ())
}
