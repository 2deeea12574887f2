//! Carrying out what was decided about parked records: the first of a subject is applied after all, or put away, and
//! what waits behind it is applied in order.
//!
//! Any member may do so. The subject stays held back until its first row is gone, and that goes in the transaction that
//! takes what is behind it last; of two members at it the later one finds everything taken in, and no row to settle.

use lifestream_envelope::failpoint;
use tokio_postgres::Row;

use super::error::MaterializerError;
use super::fault::{self, Fault};
use super::record::{self, Facts, Reading};
use super::store::Store;

/// Most records in one transaction.
const RECORDS: i64 = 500;
/// Most bytes of their values; one larger record makes a transaction of its own.
const BYTES: i64 = 8 << 20;

/// The first of a subject is done if it is to be put away, or was taken in by an earlier step.
const DECIDED: &str = "\
SELECT p.id, p.decision = 'discard' OR p.seq IS NOT NULL AND EXISTS (
           SELECT FROM lifestream.event_ingest_dedupe d WHERE d.consumer_group = p.consumer_group AND d.event_id = p.event_id)
FROM lifestream.parked p
WHERE p.stage = 'materializer' AND p.consumer_group = $1 AND p.decision IS NOT NULL ORDER BY p.id LIMIT 1";

/// The first of a subject, unless it is done, and what waits behind it; values of no more than so many bytes but for the first.
const WAITING: &str = "\
SELECT id, partition, \"offset\", record_key, record_value, header, has_type
FROM (SELECT p.*, sum(coalesce(octet_length(p.record_value), 0)) OVER (ORDER BY p.id) AS bytes, row_number() OVER (ORDER BY p.id) AS place,
             (SELECT h ->> 1 FROM jsonb_array_elements(p.record_headers) h WHERE h ->> 0 = 'event_id' LIMIT 1) AS header,
             EXISTS (SELECT FROM jsonb_array_elements(p.record_headers) h WHERE h ->> 0 = 'event_type') AS has_type
      FROM (SELECT * FROM lifestream.parked WHERE (id = $1 AND NOT $2) OR behind = $1 ORDER BY id LIMIT $3) AS p) AS p
WHERE place = 1 OR bytes <= $4 ORDER BY id";

const SETTLE: &str = "SELECT lifestream.settle_parked($1, $2, $3)";

/// Carries out some of what was decided for this group, no more than a transaction; says whether there was anything.
///
/// # Errors
/// What is not a record's own fault, [`MaterializerError::Overtaken`] where something came to wait meanwhile; done again, it goes on.
pub async fn step(store: &Store) -> Result<bool, MaterializerError> {
    let Some(row) = store.client().query_opt(DECIDED, &[&store.names().0]).await? else { return Ok(false) };
    let (first, first_is_done): (i64, bool) = (row.try_get(0)?, row.try_get(1)?);
    let mut most = RECORDS;
    loop {
        let rows = store.client().query(WAITING, &[&first, &first_is_done, &most, &BYTES]).await?;
        let records = rows.iter().map(Parked::from_row).collect::<Result<Vec<_>, _>>()?;
        let Some(next) = records.first() else {
            store.client().execute(SETTLE, &[&first, &None::<i64>, &None::<&str>]).await?;
            failpoint!("materializer.settled");
            tracing::info!(id = first, "parked records released");
            return Ok(true);
        };
        let error = match next.event(store) {
            Err(error) => error,
            Ok(_) => match apply(store, first, &records).await {
                Ok(()) => return Ok(true),
                Err(error) => {
                    store.roll_back().await;
                    if !is_of_record(&error) {
                        return Err(error);
                    }
                    if records.len() > 1 {
                        most = i64::try_from(records.len() / 2).unwrap_or(RECORDS);
                        continue;
                    }
                    // A function has gone or changed meanwhile.
                    if store.plan.is_outdated(store.client()).await? {
                        return Err(MaterializerError::Overtaken);
                    }
                    error.to_string()
                }
            },
        };
        // PostgreSQL's text has no zero character; an error may quote one.
        let error = error.replace('\0', "\u{fffd}");
        store.client().execute(SETTLE, &[&first, &next.id, &error]).await?;
        tracing::error!(id = next.id, error, "record parked: refused again; see lifestream.parked");
        return Ok(true);
    }
}

/// Whether a record is to blame, or its projection met what the server calls its own trouble (a limit, a lock, a foreign
/// server) while the session goes on: whoever asked for it can ask again, and the others are not held up until it passes.
fn is_of_record(error: &MaterializerError) -> bool {
    let is_projections = |error: &tokio_postgres::Error| {
        error.code().is_some_and(|code| ["25", "53", "55", "58"].contains(&&code.code()[..2]))
    };
    match (fault::of(error), error) {
        (Fault::Event | Fault::Doubtful, _) => true,
        (Fault::Passing, MaterializerError::Projection(error)) => is_projections(error),
        _ => false,
    }
}

/// One transaction: the records up to the first that is no event. The first row stays until all is done: the subject is
/// held back by it.
async fn apply(store: &Store, first: i64, records: &[Parked<'_>]) -> Result<(), MaterializerError> {
    let whole: Vec<_> = records.iter().map_while(|record| Some((record, record.event(store).ok()?))).collect();
    let ids: Vec<_> = whole.iter().map(|(parked, facts)| (facts.id, parked.partition, parked.offset)).collect();
    let new = store.begin(&[], &ids).await?;
    let events: Vec<_> = whole
        .iter()
        .filter(|(_, facts)| new.contains(&facts.id))
        .map(|(parked, facts)| (facts.event_type.as_str(), parked.text()))
        .collect();
    store.plan.apply(store.client(), &events).await?;
    let done: Vec<i64> = whole.iter().map(|(parked, _)| parked.id).filter(|id| *id != first).collect();
    store.client().execute("DELETE FROM lifestream.parked WHERE id = ANY ($1)", &[&done]).await?;
    failpoint!("materializer.releasing");
    store.commit().await?;
    failpoint!("materializer.released");
    Ok(())
}

/// A parked record.
struct Parked<'r> {
    id: i64,
    partition: i32,
    offset: i64,
    key: Option<&'r [u8]>,
    value: Option<&'r [u8]>,
    event_id: Option<&'r str>,
    has_type: bool,
}

impl<'r> Parked<'r> {
    fn from_row(row: &'r Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            id: row.try_get(0)?,
            partition: row.try_get(1)?,
            offset: row.try_get(2)?,
            key: row.try_get(3)?,
            value: row.try_get(4)?,
            event_id: row.try_get(5)?,
            has_type: row.try_get(6)?,
        })
    }

    /// What it says, if it is an event that can be applied; else why not.
    fn event(&self, store: &Store) -> Result<Facts, String> {
        match record::read(self.key, self.value, self.event_id.map(str::as_bytes), self.has_type) {
            Reading::Event(facts) => match store.plan.trouble(&facts.event_type) {
                None => Ok(facts),
                Some(trouble) => Err(trouble.to_owned()),
            },
            Reading::Malformed { error, .. } => Err(error),
            Reading::Marker => Err("not an event: a marker of the bridge's".to_owned()),
        }
    }

    fn text(&self) -> &'r str {
        self.value.and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default()
    }
}
