//! Waiting for consumers where keys move: partitions were added, so a subject's next event may lie in another one than its
//! last. Whoever has read the old ones to their end reads every subject in order.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio_postgres::Client;

use crate::error::BridgeError;

/// Who has come no further for so long does not work, and is waited for no more.
const PATIENCE: Duration = Duration::from_secs(10);
const ASK: Duration = Duration::from_millis(100);

/// The materializer's offsets are Postgres's own; the router tells how far it has come.
const BEHIND: &str = "SELECT c.consumer_group, c.partition, c.at \
     FROM (SELECT consumer_group, topic, partition, \"offset\" AS at, updated_at FROM lifestream.kafka_offsets \
           UNION ALL SELECT consumer_group, topic, partition, committed, updated_at FROM lifestream.consumer_progress) c \
     JOIN unnest($2::int8[]) WITH ORDINALITY AS e (high, number) ON e.number = c.partition + 1 \
     WHERE c.topic = $1 AND c.at < e.high AND c.updated_at > now() - interval '1 day' ORDER BY 1, 2";

/// Waits until every group that we know of has read the partitions up to these offsets; gives those that have stopped
/// before.
pub async fn wait(client: &Client, topic: &str, ends: &[i64]) -> Result<Vec<String>, BridgeError> {
    let (mut heard, mut known) = (Instant::now(), BTreeMap::new());
    loop {
        let rows = client.query(BEHIND, &[&topic, &ends]).await?;
        let mut behind = BTreeMap::new();
        for row in &rows {
            let (group, partition, at): (String, i32, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            behind.insert((group, partition), at);
        }
        if behind.is_empty() {
            return Ok(Vec::new());
        }
        if behind != known {
            (heard, known) = (Instant::now(), behind);
        } else if heard.elapsed() > PATIENCE {
            let mut groups: Vec<String> = known.into_keys().map(|(group, _)| group).collect();
            groups.dedup();
            return Ok(groups);
        }
        tokio::time::sleep(ASK).await;
    }
}
