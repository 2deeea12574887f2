//! Work that waits for its time: `lifestream.pending_retries`.

use jiff::Timestamp;
use tokio_postgres::Client;
use uuid::Uuid;

use super::letters::DeadLetter;
use super::retry::Retry;
use crate::AgentError;
use crate::materializer::{describe, is_of_data};

const KEEP: &str = "\
INSERT INTO lifestream.pending_retries (work_id, consumer_group, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message)
SELECT w.id, w.consumer_group, w.work_type, w.tenant_id, w.subject_id, w.attempt, w.not_before, 'retry', w.message::jsonb
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int4[], $7::timestamptz[], $8::text[])
     AS w (id, consumer_group, work_type, tenant_id, subject_id, attempt, not_before, message)
ON CONFLICT (work_id, consumer_group) DO NOTHING";

/// A cursor locks the rows that are fetched, and no others. The messages are put into words outside, so that no sort ever
/// holds them.
const OPEN: &str = "\
BEGIN;
DECLARE due NO SCROLL CURSOR FOR
SELECT d.work_id, d.consumer_group, d.work_message::text, d.reason = 'retry' FROM (
    SELECT r.* FROM lifestream.pending_retries r
    WHERE r.not_before <= now() ORDER BY r.not_before LIMIT 500 FOR UPDATE SKIP LOCKED) AS d";

/// So few that they fit into memory, however large each may be.
const FETCH: &str = "FETCH 16 FROM due";
/// No more are fetched when the messages have come to so many bytes.
const ENOUGH: usize = 8 << 20;

const DELETE: &str = "\
DELETE FROM lifestream.pending_retries r USING unnest($1::uuid[], $2::text[]) AS g (work_id, consumer_group)
WHERE r.work_id = g.work_id AND r.consumer_group = g.consumer_group";

/// A row that somebody else has written, and that is no work: looked at again only after a while.
const SET_BACK: &str = "\
UPDATE lifestream.pending_retries r SET not_before = now() + interval '1 hour'
FROM unnest($1::uuid[], $2::text[]) AS g (work_id, consumer_group)
WHERE r.work_id = g.work_id AND r.consumer_group = g.consumer_group";

/// How many rows are due, whoever has them locked.
pub const COUNT_DUE: &str = "SELECT count(*) FROM lifestream.pending_retries WHERE not_before <= now()";

/// What names a row.
#[derive(Debug, Clone)]
pub struct Key {
    /// The work.
    pub work_id: Uuid,
    /// The group that wants it; empty where nobody says.
    pub group: String,
}

/// A due row.
pub struct Waiting {
    /// Its name.
    pub key: Key,
    /// The work message.
    pub message: String,
    /// Whether it is another attempt. What an agent has put off is still the one that its guard has let through: asked
    /// again, it would be refused to a new version of the agent's group, which does all work anew.
    pub is_retry: bool,
}

/// Keeps each until its `not_before`. Gives those that cannot be kept, as dead letters.
///
/// # Errors
/// What is not a work message's own fault: to be tried again.
pub async fn keep(client: &Client, retries: Vec<Retry>) -> Result<Vec<DeadLetter>, AgentError> {
    let mut refused = Vec::new();
    match insert(client, &retries).await {
        Err(error) if is_of_data(&error) => {}
        ended => return ended.map(|()| refused).map_err(Into::into),
    }
    for retry in retries {
        match insert(client, std::slice::from_ref(&retry)).await {
            Err(error) if is_of_data(&error) => {
                let error = format!("cannot be kept for its retry: {}", describe(&error));
                let failed_at = retry.work.created_at;
                refused.push(DeadLetter::of_router(retry.work, error, failed_at, retry.cause));
            }
            ended => ended?,
        }
    }
    Ok(refused)
}

async fn insert(client: &Client, retries: &[Retry]) -> Result<(), tokio_postgres::Error> {
    if retries.is_empty() {
        return Ok(());
    }
    let groups: Vec<&str> = retries.iter().map(|retry| retry.group.as_str()).collect();
    let works = || retries.iter().map(|retry| &retry.work);
    let ids: Vec<Uuid> = works().map(|work| work.id).collect();
    let work_types: Vec<&str> = works().map(|work| work.work_type.as_str()).collect();
    let tenants: Vec<&str> = works().map(|work| work.tenant_id.as_str()).collect();
    let subjects: Vec<&str> = works().map(|work| work.subject_id.as_str()).collect();
    let attempts: Vec<i32> = works().map(|work| i32::try_from(work.attempt).unwrap_or(i32::MAX)).collect();
    let due: Vec<Timestamp> = works().map(|work| work.not_before.unwrap_or(work.created_at)).collect();
    // Every field has a JSON form.
    let messages: Vec<String> = works().map(|work| serde_json::to_string(work).unwrap_or_default()).collect();
    client
        .execute(KEEP, &[&ids, &groups, &work_types, &tenants, &subjects, &attempts, &due, &messages])
        .await
        .map(|_| ())
}

/// Begins a transaction and locks what is due in it, as much as is sent at a time; [`settle`] ends it.
///
/// # Errors
/// As the database has it: the connection is to be dropped, and its locks with it.
pub async fn take(client: &Client) -> Result<Vec<Waiting>, AgentError> {
    client.batch_execute(OPEN).await?;
    let (mut waiting, mut bytes) = (Vec::new(), 0);
    while bytes < ENOUGH {
        let rows = client.query(FETCH, &[]).await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let key = Key { work_id: row.try_get(0)?, group: row.try_get(1)? };
            let message: String = row.try_get(2)?;
            bytes += message.len();
            waiting.push(Waiting { key, message, is_retry: row.try_get(3)? });
        }
    }
    Ok(waiting)
}

/// Deletes rows, puts others off, and ends the transaction.
///
/// # Errors
/// As [`take`].
pub async fn settle(client: &Client, gone: &[Key], set_back: &[Key]) -> Result<(), AgentError> {
    for (statement, keys) in [(DELETE, gone), (SET_BACK, set_back)] {
        if !keys.is_empty() {
            let ids: Vec<Uuid> = keys.iter().map(|key| key.work_id).collect();
            let groups: Vec<&str> = keys.iter().map(|key| key.group.as_str()).collect();
            client.execute(statement, &[&ids, &groups]).await?;
        }
    }
    client.batch_execute("COMMIT").await?;
    Ok(())
}
