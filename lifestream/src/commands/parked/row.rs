//! A row of `lifestream.parked`, and how rows are found.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use crate::cli::ParkedFilter;
use crate::table::or_dash;

/// Something parked.
#[derive(Debug, Serialize)]
pub struct Parked {
    /// Names it here.
    pub id: i64,
    /// Who set it aside: `bridge` or `materializer`.
    pub stage: String,
    /// Of the materializer.
    pub consumer_group: Option<String>,
    /// Not known of a record that is no event.
    pub event_id: Option<Uuid>,
    /// Emit order.
    pub seq: Option<i64>,
    /// What is held back with it.
    pub subject_id: Option<String>,
    /// Of the event.
    pub event_type: Option<String>,
    /// Where it was read, or where it was to go.
    pub topic: Option<String>,
    /// Of the record.
    pub partition: Option<i32>,
    /// Of the record.
    pub offset: Option<i64>,
    /// Why.
    pub error: String,
    /// How often it was tried.
    pub attempts: i32,
    /// The one whose release it waits for.
    pub behind: Option<i64>,
    /// How many wait for its own.
    pub waiting: i64,
    /// What somebody decided, while it is not done yet: `retry` or `discard`.
    pub decision: Option<String>,
    /// When.
    pub parked_at: Timestamp,
    /// The event's payload where `lifestream.events` has it.
    pub payload: Option<Box<RawValue>>,
    /// The record's value as text, with a mark for what is none, where it was no event that this database has.
    pub record: Option<String>,
}

const SELECT: &str = "\
SELECT p.id, p.stage, p.consumer_group, p.event_id, p.seq, p.subject_id, p.event_type, p.topic, p.partition, p.\"offset\", p.error, \
       p.attempts, p.behind, (SELECT count(*) FROM lifestream.parked b WHERE b.behind = p.id), p.decision, p.parked_at, \
       e.payload::text, CASE WHEN e.id IS NULL THEN p.record_value END \
FROM lifestream.parked p LEFT JOIN lifestream.events e ON e.id = p.event_id";

impl Parked {
    /// What it is about: the subject, else where the record lies.
    pub fn what(&self) -> &str {
        self.subject_id.as_deref().or(self.topic.as_deref()).unwrap_or("-")
    }

    fn from_row(row: &Row) -> anyhow::Result<Self> {
        let payload: Option<String> = row.try_get(16)?;
        let record: Option<&[u8]> = row.try_get(17)?;
        Ok(Self {
            id: row.try_get(0)?,
            stage: row.try_get(1)?,
            consumer_group: row.try_get(2)?,
            event_id: row.try_get(3)?,
            seq: row.try_get(4)?,
            subject_id: row.try_get(5)?,
            event_type: row.try_get(6)?,
            topic: row.try_get(7)?,
            partition: row.try_get(8)?,
            offset: row.try_get(9)?,
            error: row.try_get(10)?,
            attempts: row.try_get(11)?,
            behind: row.try_get(12)?,
            waiting: row.try_get(13)?,
            decision: row.try_get(14)?,
            parked_at: row.try_get(15)?,
            payload: payload.map(RawValue::from_string).transpose()?,
            record: record.map(|value| String::from_utf8_lossy(value).into_owned()),
        })
    }

    /// All that is known of it, for people.
    ///
    /// # Errors
    /// A payload that is no JSON.
    pub fn story(&self) -> anyhow::Result<String> {
        let record = match (self.partition, self.offset) {
            (Some(partition), Some(offset)) => {
                Some(format!("{} partition {partition} offset {offset}", or_dash(self.topic.clone())))
            }
            _ => None,
        };
        let facts = [
            ("id", Some(self.id.to_string())),
            ("stage", Some(self.stage.clone())),
            ("group", self.consumer_group.clone()),
            ("event", self.event_id.map(|id| id.to_string())),
            ("type", self.event_type.clone()),
            ("subject", self.subject_id.clone()),
            ("record", record),
            ("parked", Some(format!("{:.0}", self.parked_at))),
            ("tries", Some(self.attempts.to_string())),
            ("waits behind", self.behind.map(|id| id.to_string())),
            ("behind it", Some(self.waiting.to_string())),
            ("decision", self.decision.clone()),
            ("error", Some(self.error.clone())),
        ];
        let mut text = String::new();
        for (name, value) in facts {
            if let Some(value) = value {
                text.push_str(&format!("{name:<14}{}\n", value.trim().replace('\n', "\n              ")));
            }
        }
        if let Some(payload) = &self.payload {
            let payload: serde_json::Value = serde_json::from_str(payload.get())?;
            text.push_str(&format!("\npayload\n{}", serde_json::to_string_pretty(&payload)?));
        } else if let Some(record) = &self.record {
            // A record is anybody's bytes: nothing in it may speak to the terminal.
            text.push_str(&format!("\nrecord\n{}", record.escape_debug()));
        }
        Ok(text)
    }
}

/// Those that the filter lets through, the oldest first; of each subject only the first, unless `behind`.
///
/// # Errors
/// As the server has it.
pub async fn find(
    client: &Client,
    filter: &ParkedFilter,
    behind: bool,
    count: Option<u32>,
) -> anyhow::Result<Vec<Parked>> {
    let (stage, count) = (filter.stage.map(|stage| stage.value()), count.map(i64::from));
    let rows = client
        .query(
            &format!(
                "{SELECT} WHERE ($1 OR p.behind IS NULL) AND ($2::text IS NULL OR p.stage = $2) \
                   AND ($3::text IS NULL OR p.event_type = $3) AND ($4::text IS NULL OR position(lower($4) IN lower(p.error)) > 0) \
                   AND ($5::text IS NULL OR p.subject_id = $5) ORDER BY coalesce(p.behind, p.id), p.id LIMIT $6"
            ),
            &[&behind, &stage, &filter.event_type, &filter.error, &filter.subject, &count],
        )
        .await?;
    rows.iter().map(Parked::from_row).collect()
}

/// Those of these ids, in the order given; `Err` names the ones that are not there.
///
/// # Errors
/// As the server has it.
pub async fn by_ids(client: &Client, ids: &[i64]) -> anyhow::Result<Result<Vec<Parked>, Vec<i64>>> {
    let rows =
        client.query(&format!("{SELECT} WHERE p.id = ANY ($1) ORDER BY array_position($1, p.id)"), &[&ids]).await?;
    let rows = rows.iter().map(Parked::from_row).collect::<anyhow::Result<Vec<_>>>()?;
    let missing: Vec<i64> = ids.iter().copied().filter(|id| rows.iter().all(|row| row.id != *id)).collect();
    Ok(if missing.is_empty() { Ok(rows) } else { Err(missing) })
}
