//! Events that Kafka will never take, and what follows them in their subject.

use std::collections::HashMap;
use std::pin::pin;

use futures_util::TryStreamExt;
use lifestream_envelope::event::EventRow;
use roaring::RoaringTreemap;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use crate::error::BridgeError;
use crate::row;

/// No more is let go at once once its rows take this many bytes.
const BYTES: usize = 4 << 20;

const FORGET: &str = "DELETE FROM lifestream.parked p USING lifestream.events e \
     WHERE p.behind = $2 AND p.stage = 'bridge' AND e.seq = p.seq AND e.published_to_kafka \
       AND EXISTS (SELECT FROM lifestream.bridge_progress WHERE epoch = $1)";

const SETTLE: &str = "SELECT lifestream.settle_parked($2, $3, $4) FROM lifestream.bridge_progress WHERE epoch = $1";

/// Subjects that have a parked event; their later events park behind it, so that order is kept.
#[derive(Debug, Default)]
pub struct Parking {
    /// Subject id → the parked event that holds it back.
    subjects: HashMap<String, i64>,
    epoch: i64,
}

impl Parking {
    /// Reads what is parked, and the numbers of those events and of the discarded ones.
    pub async fn load(client: &Client, epoch: i64) -> Result<(Self, RoaringTreemap), BridgeError> {
        let rows = client
            .query("SELECT seq, subject_id, id, behind IS NULL FROM lifestream.parked WHERE stage = 'bridge'", &[])
            .await?;
        let (mut subjects, mut seqs) = (HashMap::new(), RoaringTreemap::new());
        for row in &rows {
            seqs.insert(row.try_get::<_, i64>(0)?.cast_unsigned());
            if row.try_get(3)? {
                subjects.insert(row.try_get(1)?, row.try_get(2)?);
            }
        }
        for row in client.query("SELECT seq FROM lifestream.discarded WHERE stage = 'bridge'", &[]).await? {
            seqs.insert(row.try_get::<_, i64>(0)?.cast_unsigned());
        }
        Ok((Self { subjects, epoch }, seqs))
    }

    /// The parked event that this subject waits for.
    pub fn holds_back(&self, subject_id: &str) -> Option<i64> {
        if self.subjects.is_empty() { None } else { self.subjects.get(subject_id).copied() }
    }

    /// Parks an event, if this epoch is still the newest.
    pub async fn park(
        &mut self,
        client: &Client,
        topic: &str,
        row: &EventRow<'_>,
        error: &str,
    ) -> Result<(), BridgeError> {
        let behind = self.holds_back(row.subject_id);
        let parked = client
            .query_opt(
                "INSERT INTO lifestream.parked (stage, event_id, seq, subject_id, event_type, topic, error, behind) \
                 SELECT 'bridge', $2, $3, $4, $5, $6, $7, $8 FROM lifestream.bridge_progress WHERE epoch = $1 RETURNING id",
                &[&self.epoch, &row.id, &row.seq, &row.subject_id, &row.event_type, &topic, &error, &behind],
            )
            .await?
            .ok_or(BridgeError::Fenced(self.epoch))?;
        if behind.is_none() {
            tracing::error!(seq = row.seq, event_id = %row.id, subject_id = row.subject_id, error, "event parked: Kafka does not take it");
            self.subjects.insert(row.subject_id.to_owned(), parked.try_get(0)?);
        }
        Ok(())
    }
    /// The first one of those about which somebody decided: its id, and whether it is to be put away.
    pub async fn decided(&self, client: &Client) -> Result<Option<(i64, bool)>, BridgeError> {
        let row = client
            .query_opt(
                "SELECT id, decision = 'discard' FROM lifestream.parked \
                 WHERE stage = 'bridge' AND decision IS NOT NULL ORDER BY id LIMIT 1",
                &[],
            )
            .await?;
        row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
    }

    /// What is to be sent of what was parked under `first`, in order and no more than fits into memory: rows of
    /// [`row::COLUMNS`], and `parked_id`.
    pub async fn waiting(&self, client: &Client, first: i64, discard: bool) -> Result<Vec<Row>, BridgeError> {
        self.forget(client, first).await?;
        let waiting = format!(
            "SELECT {columns}, p.id AS parked_id FROM lifestream.parked p JOIN lifestream.events e ON e.seq = p.seq \
             WHERE ((p.id = $1 AND NOT $2) OR p.behind = $1) AND NOT e.published_to_kafka ORDER BY p.id LIMIT 100",
            columns = row::COLUMNS
        );
        let parameters: [&(dyn ToSql + Sync); 2] = [&first, &discard];
        let mut stream = pin!(client.query_raw(&waiting, parameters).await?);
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while bytes < BYTES
            && let Some(row) = stream.try_next().await?
        {
            bytes += row::bytes(&row);
            rows.push(row);
        }
        Ok(rows)
    }

    /// What waited behind `first` and has its flag by now waits no more; `first` itself goes with the decision about it.
    async fn forget(&self, client: &Client, first: i64) -> Result<(), BridgeError> {
        client.execute(FORGET, &[&self.epoch, &first]).await?;
        Ok(())
    }

    /// Notes, if this epoch is still the newest, that a decision has been carried out, and which one was refused meanwhile.
    pub async fn settle(
        &mut self,
        client: &Client,
        first: i64,
        refused: Option<(i64, &str)>,
    ) -> Result<(), BridgeError> {
        self.forget(client, first).await?;
        let (refused, error) = refused.unzip();
        let settled = client.query_opt(SETTLE, &[&self.epoch, &first, &refused, &error]).await?;
        settled.ok_or(BridgeError::Fenced(self.epoch))?;
        match refused {
            Some(refused) => self.subjects.values_mut().filter(|id| **id == first).for_each(|id| *id = refused),
            None => self.subjects.retain(|_, id| *id != first),
        }
        Ok(())
    }
}
