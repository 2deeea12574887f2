//! What the publisher reads of the state.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::TryStreamExt;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row as Answer};
use uuid::Uuid;

use super::entry::{Entry, Row};
use super::error::PublishError;
use crate::Database;

/// How long the state may lag behind the work before the work is put off.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks, at first; doubled up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(320);

/// Links that are published: saved, not removed, and enriched at least once. Times out of any calendar are moved to its
/// edges, texts cut to more than what is shown; tags of the person come before those of enrichment.
const LINKS: &str = "\
SELECT l.subject_id, l.tenant_id, left(l.url, 8000) AS url, l.first_seq,
       (extract(epoch FROM least(greatest(l.added_at, '1000-01-01Z'), '9999-12-30Z')) * 1000000)::int8 AS added_at,
       (extract(epoch FROM least(greatest(m.enriched_at, '1000-01-01Z'), '9999-12-30Z')) * 1000000)::int8 AS enriched_at,
       left(coalesce(nullif(btrim(l.title), ''), c.metadata ->> 'title'), 2000) AS title,
       left(c.metadata ->> 'site_name', 500) AS site, left(c.metadata ->> 'byline', 500) AS byline,
       left(c.metadata ->> 'language', 50) AS language, left(c.metadata ->> 'published_at', 50) AS published,
       left(m.summary, 16000) AS summary, left(m.topic, 500) AS topic, left(m.model, 500) AS model,
       ARRAY(SELECT left(t.tag, 200) FROM lifestream.tags t WHERE t.subject_id = l.subject_id
             GROUP BY 1 ORDER BY bool_or(t.origin = 'user') DESC, min(t.tag COLLATE \"C\") LIMIT 30) AS tags
FROM lifestream.links l
JOIN lifestream.link_metadata m ON m.subject_id = l.subject_id
LEFT JOIN lifestream.link_content c ON c.subject_id = l.subject_id
WHERE l.status <> 'removed' AND l.added_at IS NOT NULL";

/// Any group's taking in counts: all of them write the same tables. Without the event itself, or long after it, the row
/// that guards against its repeat may have been pruned: it was taken in then.
const INCLUDED: &str = "\
SELECT EXISTS (SELECT FROM lifestream.event_ingest_dedupe d
               WHERE d.event_id = $1 AND d.consumer_group IN (SELECT o.consumer_group FROM lifestream.kafka_offsets o))
    OR NOT EXISTS (SELECT FROM lifestream.all_events e WHERE e.id = $1 AND e.received_at > now() - interval '1 day'),
       EXISTS (SELECT FROM lifestream.parked p WHERE p.event_id = $1)";

/// Waits until the state includes an event.
///
/// # Errors
/// It does not within 20 s, or is parked, which only a person can change; or the database cannot be asked.
pub async fn includes(database: &Database, event: Uuid) -> Result<(), PublishError> {
    let start = tokio::time::Instant::now();
    let mut pause = PAUSE;
    loop {
        let client = database.client().await?;
        let row = client.query_one(INCLUDED, &[&event]).await?;
        let (included, parked): (bool, bool) = (row.get(0), row.get(1));
        if included {
            return Ok(());
        }
        if parked || start.elapsed() >= PATIENCE {
            return Err(PublishError::NotMaterialized);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// How many facts about tags the state has, and the number of the newest: one may come to the state after a newer one.
pub type TagRules = (i64, i64);

/// Changes with every `tag.merged` and `tag.dropped`, which change the tags of many links at once.
///
/// # Errors
/// The database cannot be asked.
pub async fn tag_rules(client: &Client) -> Result<TagRules, PublishError> {
    let row = client.query_one("SELECT count(*), coalesce(max(seq), 0) FROM lifestream.tag_rules", &[]).await?;
    Ok((row.get(0), row.get(1)))
}

/// Those of these links that are published, by subject.
///
/// # Errors
/// The database cannot be asked.
pub async fn links(client: &Client, subjects: &[String]) -> Result<HashMap<String, Entry>, PublishError> {
    // `OFFSET 0` keeps PostgreSQL to one look-up for each, where it would rather read whole tables that are not large.
    let sql = format!(
        "SELECT one.* FROM unnest($1::text[]) AS asked (id), LATERAL ({LINKS} AND l.subject_id = asked.id OFFSET 0) AS one"
    );
    let rows = client.query(&sql, &[&subjects]).await?;
    Ok(rows.iter().map(entry).map(|entry| (entry.subject.clone(), entry)).collect())
}

/// Every published link, one after the other, in no order.
///
/// # Errors
/// The database cannot be asked, or `each` says no.
pub async fn all_links(client: &Client, mut each: impl FnMut(Entry)) -> Result<(), PublishError> {
    let none: [&(dyn ToSql + Sync); 0] = [];
    let rows = client.query_raw(LINKS, none).await?;
    let mut rows = std::pin::pin!(rows);
    while let Some(row) = rows.try_next().await? {
        each(entry(&row));
    }
    Ok(())
}

fn entry(row: &Answer) -> Entry {
    Entry::new(Row {
        subject_id: row.get("subject_id"),
        tenant_id: row.get("tenant_id"),
        url: row.get::<_, Option<String>>("url").unwrap_or_default(),
        first_seq: row.get::<_, Option<i64>>("first_seq").unwrap_or_default(),
        added_at: row.get("added_at"),
        enriched_at: row.get("enriched_at"),
        title: row.get("title"),
        site: row.get("site"),
        byline: row.get("byline"),
        language: row.get("language"),
        published: row.get("published"),
        summary: row.get("summary"),
        topic: row.get("topic"),
        model: row.get("model"),
        tags: row.get("tags"),
    })
}
