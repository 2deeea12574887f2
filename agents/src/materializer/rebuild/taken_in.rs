//! Events that were never materialized because Kafka had lost their records: after a rebuild of everything the state has them, and they count
//! as taken in.

use tokio_postgres::Client;

use super::aside::taken_in;
use super::error::RebuildError;
use super::reading::Reading;

/// Events in one transaction.
const BATCH: i64 = 50_000;
/// Of the newest events, so many are looked at.
const NEWEST: i64 = 10_000;

/// What the materializers have noted of records that they had to pass over.
const NOTES: &str = "SELECT DISTINCT error FROM lifestream.kafka_offsets WHERE starts_with(error, 'records_deleted:')";

/// Published, not taken in by any group, and not set aside. Whoever takes one in at this moment has done the same.
const RECOVER: &str = concat!(
    "WITH noted AS (
INSERT INTO lifestream.event_ingest_dedupe (consumer_group, event_id, topic, partition, \"offset\")
SELECT g.consumer_group, e.id, g.topic, -1, -1
FROM lifestream.all_events e, (SELECT DISTINCT o.consumer_group, o.topic FROM lifestream.kafka_offsets o) g
WHERE e.seq > $1 AND e.seq <= $2 AND e.published_to_kafka
  AND NOT EXISTS (SELECT FROM pg_temp.lifestream_left_out l WHERE l.seq = e.seq)
  AND NOT EXISTS (SELECT FROM unnest($3::int8[], $4::int8[]) AS gap (first, last) WHERE e.seq BETWEEN gap.first AND gap.last) AND NOT ",
    taken_in!("e.id"),
    " ON CONFLICT DO NOTHING RETURNING event_id)
SELECT count(DISTINCT event_id) FROM noted"
);

const AHEAD: &str = concat!(
    "SELECT count(*) FROM (SELECT e.id FROM lifestream.events e ORDER BY e.seq DESC LIMIT $1) e WHERE NOT ",
    taken_in!("e.id")
);

/// Reads the notes.
pub async fn notes(client: &Client) -> Result<Vec<String>, RebuildError> {
    let rows = client.query(NOTES, &[]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// How many of the newest events are not materialized.
pub async fn ahead(client: &Client) -> Result<u64, RebuildError> {
    let count: i64 = client.query_one(AHEAD, &[&NEWEST]).await?.try_get(0)?;
    Ok(count.cast_unsigned())
}

/// Once the state has every event up to `high`: notes those that were lost as taken in, then clears the notes that told of it. Cut off, the
/// next rebuild does the rest.
///
/// What was in no shadow, because its transaction was still open, is the materializer's to take in: gaps of the reading are left out.
pub async fn recover(client: &Client, reading: &Reading, notes: &[String]) -> Result<u64, RebuildError> {
    let (mut from, mut recovered, high) = (0, 0, reading.high);
    while from < high {
        let to = high.min(from + BATCH);
        let (first, last) = reading.gaps(from + 1, usize::MAX);
        let within = first.partition_point(|first| *first <= to);
        let count: i64 =
            client.query_one(RECOVER, &[&from, &to, &&first[..within], &&last[..within]]).await?.try_get(0)?;
        recovered += count.cast_unsigned();
        from = to;
    }
    client.execute("UPDATE lifestream.kafka_offsets SET error = NULL WHERE error = ANY ($1)", &[&notes]).await?;
    Ok(recovered)
}
