//! Records set aside, and the subjects that wait behind them.

use std::collections::HashMap;

use rdkafka::message::Message;
use tokio_postgres::{Client, Statement};

use super::error::MaterializerError;
use super::record::{Reading, Record};

/// Subjects of this group that have something parked: later events of theirs park behind it, so that order is kept.
#[derive(Debug, Default, Clone)]
pub struct Held {
    /// Subject id → the parked row that the others wait for.
    subjects: HashMap<String, i64>,
}

impl Held {
    /// Reads what is parked.
    ///
    /// # Errors
    /// As the database has it.
    pub async fn load(client: &Client, group: &str) -> Result<Self, MaterializerError> {
        let rows = client
            .query(
                "SELECT subject_id, min(coalesce(behind, id)) FROM lifestream.parked \
                 WHERE stage = 'materializer' AND consumer_group = $1 AND subject_id IS NOT NULL GROUP BY subject_id",
                &[&group],
            )
            .await?;
        let mut subjects = HashMap::with_capacity(rows.len());
        for row in &rows {
            subjects.insert(row.try_get(0)?, row.try_get(1)?);
        }
        Ok(Self { subjects })
    }

    /// The row that this subject waits for.
    pub fn by(&self, subject_id: &str) -> Option<i64> {
        if self.subjects.is_empty() { None } else { self.subjects.get(subject_id).copied() }
    }

    /// Holds a subject back from now on.
    pub fn hold(&mut self, subject_id: &str, parked: i64) {
        self.subjects.entry(subject_id.to_owned()).or_insert(parked);
    }
}

/// Inserts a parked record, unless the event is parked or applied already (a repeat); gives the new row's id.
pub const PARK: &str = "\
INSERT INTO lifestream.parked (stage, consumer_group, topic, partition, \"offset\", record_key, record_value, record_headers,
                               event_id, seq, subject_id, event_type, error, behind, attempts)
SELECT 'materializer', $1::text, $2::text, $3::int4, $4::int8, $5::bytea, $6::bytea, $7::text::jsonb, $8::uuid, $9::int8,
       $10::text, $11::text, $12::text, $13::int8, $14::int4
WHERE $9::int8 IS NULL OR NOT EXISTS (SELECT FROM lifestream.event_ingest_dedupe WHERE consumer_group = $1 AND event_id = $8)
ON CONFLICT (stage, coalesce(consumer_group, ''), event_id) WHERE seq IS NOT NULL DO NOTHING
RETURNING id";

/// Parks one record within the transaction at hand.
///
/// # Errors
/// As the database has it; 23503 means that what it should wait for has been released meanwhile.
pub async fn park(
    client: &Client,
    statement: &Statement,
    (group, topic): (&str, &str),
    record: &Record<'_>,
    error: &str,
    attempts: i32,
    held: &mut Held,
) -> Result<(), MaterializerError> {
    let (event_id, seq, subject_id, event_type) = match &record.reading {
        Reading::Marker => return Ok(()),
        Reading::Event(facts) => {
            (Some(facts.id), Some(facts.seq), Some(facts.subject_id.as_str()), Some(facts.event_type.as_str()))
        }
        Reading::Malformed { event_id, subject_id, .. } => (*event_id, None, subject_id.as_deref(), None),
    };
    let behind = subject_id.and_then(|subject| held.by(subject));
    let (message, headers) = (&record.message, record.headers().to_string());
    // PostgreSQL's text has no zero character; an error may quote one.
    let error = error.replace('\0', "\u{fffd}");
    let (partition, offset) = (message.partition(), message.offset());
    let parked = client
        .query_opt(
            statement,
            &[
                &group,
                &topic,
                &partition,
                &offset,
                &message.key(),
                &message.payload(),
                &headers,
                &event_id,
                &seq,
                &subject_id,
                &event_type,
                &error,
                &behind,
                &attempts,
            ],
        )
        .await?;
    let Some(row) = parked else { return Ok(()) };
    if let (Some(subject), None) = (subject_id, behind) {
        held.hold(subject, row.try_get(0)?);
    }
    if behind.is_none() {
        tracing::error!(topic, partition, offset, event_id = ?event_id, subject_id, error, "record parked; see lifestream.parked");
    }
    Ok(())
}
