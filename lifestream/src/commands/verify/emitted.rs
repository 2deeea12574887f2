//! The events of the range that Kafka has acknowledged, as compactly as they can be looked up.

use std::collections::HashSet;
use std::pin::pin;

use futures_util::TryStreamExt;
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::Range;

/// Ordered by `seq`: three columns of one table.
pub struct Emitted {
    seqs: Vec<i64>,
    /// The lower half of each id: random in every version that we meet.
    ids: Vec<u64>,
    /// How often each was met on the topic; 2 stands for more.
    met: Vec<u8>,
}

/// What meeting an event means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// As it should be.
    First,
    /// Once too often; `second` only the first time that it is.
    Again {
        /// Met twice by now, no more.
        second: bool,
    },
    /// Not among those of the range that have their flag.
    Unknown,
}

impl Emitted {
    /// Reads them.
    pub async fn load(snapshot: &Transaction<'_>, range: &Range) -> anyhow::Result<Self> {
        let rows = snapshot
            .query_raw(
                "SELECT seq, id FROM lifestream.all_events \
                 WHERE received_at >= coalesce($1::timestamptz, '-infinity') AND received_at < coalesce($2::timestamptz, 'infinity') \
                   AND published_to_kafka",
                [range.from, range.to],
            )
            .await?;
        let (mut rows, mut events) = (pin!(rows), Vec::new());
        while let Some(row) = rows.try_next().await? {
            events.push((row.try_get::<_, i64>(0)?, half(row.try_get(1)?)));
        }
        events.sort_unstable();
        let met = vec![0; events.len()];
        let (seqs, ids) = events.into_iter().unzip();
        Ok(Self { seqs, ids, met })
    }

    /// Notes that the event was met on the topic.
    pub fn meet(&mut self, seq: i64, id: Uuid) -> Met {
        match self.seqs.binary_search(&seq) {
            Ok(at) if self.ids[at] == half(id) => {
                let times = self.met[at];
                self.met[at] = (times + 1).min(2);
                if times == 0 { Met::First } else { Met::Again { second: times == 1 } }
            }
            _ => Met::Unknown,
        }
    }

    /// The numbers of those that were not met.
    pub fn missing(&self) -> Vec<i64> {
        self.seqs.iter().zip(&self.met).filter(|(_, met)| **met == 0).map(|(seq, _)| *seq).collect()
    }
}

fn half(id: Uuid) -> u64 {
    id.as_u64_pair().1
}

/// Of these, the numbers of those whose record lay below the first one that the topic still has, or was gone before anybody took
/// it in (a rebuild then notes an offset of -1).
pub async fn expired(
    snapshot: &Transaction<'_>,
    topic: &str,
    lows: &[i64],
    seqs: &[i64],
) -> anyhow::Result<HashSet<i64>> {
    if lows.iter().all(|low| *low == 0) {
        return Ok(HashSet::new());
    }
    let rows = snapshot
        .query(
            "SELECT DISTINCT e.seq FROM lifestream.all_events e JOIN lifestream.event_ingest_dedupe d ON d.event_id = e.id \
             WHERE e.seq = ANY ($1) AND d.topic = $2 AND d.\"offset\" < coalesce(($3::bigint[])[d.partition + 1], 0) \
               AND d.consumer_group = ANY (ARRAY(SELECT DISTINCT o.consumer_group FROM lifestream.kafka_offsets o))",
            &[&seqs, &topic, &lows],
        )
        .await?;
    rows.iter().map(|row| row.try_get(0).map_err(Into::into)).collect()
}

/// The ids of these numbers, in their order.
pub async fn ids(snapshot: &Transaction<'_>, seqs: &[i64]) -> anyhow::Result<Vec<Uuid>> {
    let rows =
        snapshot.query("SELECT id FROM lifestream.all_events WHERE seq = ANY ($1) ORDER BY seq", &[&seqs]).await?;
    rows.iter().map(|row| row.try_get(0).map_err(Into::into)).collect()
}
