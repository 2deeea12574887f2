//! Records set aside, and who waits behind them.

use std::collections::HashMap;

use rdkafka::message::Message;
use tokio_postgres::{Client, Statement};

use super::error::MaterializerError;
use super::record::{Line, Reading, Record};

/// Who has something parked in this group: later events of that line park behind it, so that order is kept.
#[derive(Debug, Default, Clone)]
pub struct Held {
    /// Subject id → whose events are held back (`None`: everybody's), and the parked row that they wait for.
    subjects: HashMap<String, Vec<(Option<String>, i64)>>,
}

impl Held {
    /// Reads what is parked.
    ///
    /// # Errors
    /// As the database has it.
    pub async fn load(client: &Client, group: &str) -> Result<Self, MaterializerError> {
        let rows = client
            .query(
                // What cannot be read holds back everybody, also where it waits behind one tenant's itself.
                "SELECT subject_id, tenant_id, coalesce(behind, id) FROM lifestream.parked \
                 WHERE stage = 'materializer' AND consumer_group = $1 AND subject_id IS NOT NULL \
                     AND (behind IS NULL OR tenant_id IS NULL) ORDER BY id",
                &[&group],
            )
            .await?;
        let mut held = Self::default();
        for row in &rows {
            held.hold(Line { subject_id: row.try_get(0)?, tenant_id: row.try_get(1)? }, row.try_get(2)?);
        }
        Ok(held)
    }

    /// The row that this line waits for.
    pub fn by(&self, line: Line<'_>) -> Option<i64> {
        if self.subjects.is_empty() {
            return None;
        }
        let rows = self.subjects.get(line.subject_id)?;
        let holds = |tenant: &Option<String>| line.meets(Line { tenant_id: tenant.as_deref(), ..line });
        rows.iter().find(|(tenant, _)| holds(tenant)).map(|(_, row)| *row)
    }

    /// Holds a line back from now on.
    pub fn hold(&mut self, line: Line<'_>, parked: i64) {
        self.subjects.entry(line.subject_id.to_owned()).or_default().push((line.tenant_id.map(str::to_owned), parked));
    }
}

/// Inserts a parked record, unless the event is parked or applied already (a repeat); gives the new row's id.
pub const PARK: &str = "\
INSERT INTO lifestream.parked (stage, consumer_group, topic, partition, \"offset\", record_key, record_value, record_headers,
                               event_id, seq, subject_id, tenant_id, event_type, error, behind, attempts)
SELECT 'materializer', $1::text, $2::text, $3::int4, $4::int8, $5::bytea, $6::bytea, $7::text::jsonb, $8::uuid, $9::int8,
       $10::text, $11::text, $12::text, $13::text, $14::int8, $15::int4
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
    let (event_id, seq, event_type) = match &record.reading {
        Reading::Marker => return Ok(()),
        Reading::Event(facts) => (Some(facts.id), Some(facts.seq), Some(facts.event_type.as_str())),
        Reading::Malformed { event_id, .. } => (*event_id, None, None),
    };
    let line = record.reading.line();
    let (subject_id, tenant_id) = (line.map(|line| line.subject_id), line.and_then(|line| line.tenant_id));
    let behind = line.and_then(|line| held.by(line));
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
                &tenant_id,
                &event_type,
                &error,
                &behind,
                &attempts,
            ],
        )
        .await?;
    let Some(row) = parked else { return Ok(()) };
    match (line, behind) {
        (Some(line), None) => held.hold(line, row.try_get(0)?),
        // It may be anybody's: all wait for what it waits for itself.
        (Some(line @ Line { tenant_id: None, .. }), Some(first)) => held.hold(line, first),
        _ => {}
    }
    if behind.is_none() {
        tracing::error!(topic, partition, offset, event_id = ?event_id, subject_id, error, "record parked; see lifestream.parked");
    }
    Ok(())
}
