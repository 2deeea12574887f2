//! A row of `lifestream.dead_letters`, and how rows are found.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use crate::cli::DlqFilter;

/// A dead letter.
#[derive(Debug, Serialize)]
pub struct Letter {
    /// Of the `work.dead_lettered` that says so.
    pub id: Uuid,
    /// `open`, `retried` or `discarded`.
    pub status: String,
    /// Empty where there is only one tenant.
    pub tenant_id: String,
    /// What the work is about.
    pub subject_id: String,
    /// Not known of a record that was no work message.
    pub work_type: Option<String>,
    /// The last one.
    pub attempt: Option<i32>,
    /// Who gave it up.
    pub agent: Option<String>,
    /// The last one.
    pub error: Option<String>,
    /// When it was given up.
    pub failed_at: Option<Timestamp>,
    /// Every failed attempt.
    pub attempts: Box<RawValue>,
    /// When a person decided.
    pub decided_at: Option<Timestamp>,
    /// Why it was discarded.
    pub reason: Option<String>,
    /// The event that asked for the work.
    pub triggered_by_event_id: Option<Uuid>,
    /// The work message, or the record that was none.
    pub work_message: Box<RawValue>,
    /// Where the work goes, if it goes to a URL.
    #[serde(skip)]
    url: Option<String>,
}

const COLUMNS: &str = "\
id, status, tenant_id, subject_id, work_type, attempt, agent, error, failed_at, attempts::text, decided_at, reason, \
triggered_by_event_id, work_message::text, work_message #>> '{payload,url}'";

/// The host of a work message's URL: what stands between `//` and the port, path or query, less a user's name.
const HOST: &str =
    "lower(substring(work_message #>> '{payload,url}' FROM '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#:]+)'))";

impl Letter {
    /// What it is about, in as few words as tell it: the URL, else the subject.
    pub fn what(&self) -> &str {
        self.url.as_deref().unwrap_or(&self.subject_id)
    }

    fn from_row(row: &Row) -> anyhow::Result<Self> {
        Ok(Self {
            id: row.try_get(0)?,
            status: row.try_get(1)?,
            tenant_id: row.try_get(2)?,
            subject_id: row.try_get(3)?,
            work_type: row.try_get(4)?,
            attempt: row.try_get(5)?,
            agent: row.try_get(6)?,
            error: row.try_get(7)?,
            failed_at: row.try_get(8)?,
            attempts: RawValue::from_string(row.try_get(9)?)?,
            decided_at: row.try_get(10)?,
            reason: row.try_get(11)?,
            triggered_by_event_id: row.try_get(12)?,
            work_message: RawValue::from_string(row.try_get(13)?)?,
            url: row.try_get(14)?,
        })
    }
}

/// Those that the filter lets through, the oldest first.
///
/// # Errors
/// As the server has it, an interval that is none among them.
pub async fn find(
    client: &Client,
    filter: &DlqFilter,
    status: Option<&str>,
    count: Option<u32>,
) -> anyhow::Result<Vec<Letter>> {
    let count = count.map(i64::from);
    let rows = client
        .query(
            &format!(
                "SELECT {COLUMNS} FROM lifestream.dead_letters \
                 WHERE seq IS NOT NULL AND ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR work_type = $2) \
                   AND ($3::text IS NULL OR agent = $3) AND ($4::text IS NULL OR position(lower($4) IN lower(error)) > 0) \
                   AND ($5::text IS NULL OR {HOST} = lower($5)) AND ($6::text IS NULL OR subject_id = $6) \
                   AND ($7::text IS NULL OR failed_at < now() - $7::text::interval) \
                 ORDER BY failed_at, id LIMIT $8"
            ),
            &[
                &status,
                &filter.work_type,
                &filter.agent,
                &filter.error,
                &filter.host,
                &filter.subject,
                &filter.older_than,
                &count,
            ],
        )
        .await?;
    rows.iter().map(Letter::from_row).collect()
}

/// Those of these ids, in the order given; `Err` names the ones that are not there.
///
/// # Errors
/// As the server has it.
pub async fn by_ids(client: &Client, ids: &[Uuid]) -> anyhow::Result<Result<Vec<Letter>, Vec<Uuid>>> {
    let rows = client
        .query(
            &format!(
                "SELECT {COLUMNS} FROM lifestream.dead_letters WHERE seq IS NOT NULL AND id = ANY ($1) ORDER BY array_position($1, id)"
            ),
            &[&ids],
        )
        .await?;
    let letters = rows.iter().map(Letter::from_row).collect::<anyhow::Result<Vec<_>>>()?;
    let missing: Vec<Uuid> = ids.iter().copied().filter(|id| letters.iter().all(|letter| letter.id != *id)).collect();
    Ok(if missing.is_empty() { Ok(letters) } else { Err(missing) })
}
