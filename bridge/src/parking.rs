//! Events that Kafka will never take, and what follows them in their subject.

use std::collections::HashMap;

use lifestream_envelope::event::EventRow;
use roaring::RoaringTreemap;
use tokio_postgres::Client;

use crate::error::BridgeError;

/// Subjects that have a parked event; their later events park behind it, so that order is kept.
#[derive(Debug, Default)]
pub struct Parking {
    /// Subject id → the parked event that holds it back.
    subjects: HashMap<String, i64>,
    epoch: i64,
}

impl Parking {
    /// Reads what is parked, and the numbers of those events.
    pub async fn load(client: &Client, epoch: i64) -> Result<(Self, RoaringTreemap), BridgeError> {
        let rows = client
            .query("SELECT seq, subject_id, id FROM lifestream.parked WHERE stage = 'bridge' ORDER BY id DESC", &[])
            .await?;
        let (mut subjects, mut seqs) = (HashMap::new(), RoaringTreemap::new());
        for row in &rows {
            seqs.insert(row.try_get::<_, i64>(0)?.cast_unsigned());
            // The oldest one of a subject comes last, and stays.
            subjects.insert(row.try_get(1)?, row.try_get(2)?);
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
}
