//! The member's connection to Postgres, and the bookkeeping that it keeps there.

use std::collections::HashSet;

use futures_util::future::try_join4;
use jiff::Timestamp;
use lifestream_envelope::channels;
use lifestream_envelope::postgres::{self, Session};
use lifestream_envelope::settings::PostgresSettings;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use super::error::MaterializerError;
use super::parking::PARK;
use super::projections::{FINGERPRINT, Plan};

/// Moves offsets, each only from where it is believed to be, and measures the rate as it does so.
///
/// The row locks order two members that both believe they own a partition: the second waits, and then finds an offset
/// that it did not expect.
const ADVANCE: &str = "\
UPDATE lifestream.kafka_offsets o
SET \"offset\" = n.next, updated_at = now(), last_received_at = greatest(o.last_received_at, n.received),
    rate = CASE WHEN now() - o.rate_since >= interval '5 s'
                THEN (n.next - o.rate_offset) / extract(epoch FROM least(now() - o.rate_since, interval '1 min')) ELSE o.rate END,
    rate_offset = CASE WHEN now() - o.rate_since >= interval '5 s' THEN n.next ELSE o.rate_offset END,
    rate_since = CASE WHEN now() - o.rate_since >= interval '5 s' THEN now() ELSE o.rate_since END
FROM unnest($3::int4[], $4::int8[], $5::int8[], $6::timestamptz[]) AS n (partition, expected, next, received)
WHERE o.consumer_group = $1 AND o.topic = $2 AND o.partition = n.partition AND o.\"offset\" = n.expected";

/// Records events as taken in; gives the ids of those that were not before.
const INGEST: &str = "\
INSERT INTO lifestream.event_ingest_dedupe (consumer_group, event_id, topic, partition, \"offset\")
SELECT $1, n.event_id, $2, n.partition, n.at
FROM unnest($3::uuid[], $4::int4[], $5::int8[]) AS n (event_id, partition, at)
ON CONFLICT (consumer_group, event_id) DO NOTHING
RETURNING event_id";

/// A partition's row of `lifestream.kafka_offsets`.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Partition.
    pub partition: i32,
    /// The next offset to apply.
    pub next: i64,
    /// The topic that it belongs to.
    pub topic_id: Option<String>,
    /// What holds it up, or what it had to pass over.
    pub error: Option<String>,
}

/// How far a transaction moves a partition.
#[derive(Debug, Clone, Copy)]
pub struct Advance {
    /// Partition.
    pub partition: i32,
    /// Where the member believes it to be.
    pub expected: i64,
    /// Where it goes.
    pub next: i64,
    /// Receipt of the newest event on the way.
    pub received: Option<Timestamp>,
}

/// A connection with its statements.
pub struct Store {
    /// The connection and its notifications.
    pub session: Session,
    /// How to apply events.
    pub plan: Plan,
    /// [`PARK`], prepared.
    pub park: Statement,
    fingerprint: Statement,
    advance: Statement,
    ingest: Statement,
    group: String,
    topic: String,
}

/// A batch that takes longer is halved, as one that fails, until the event is found that takes so long.
const LIMIT: &str =
    "SELECT set_config('statement_timeout', '60s', false) WHERE current_setting('statement_timeout') = '0'";

/// A member that was stopped in the middle of a transaction (SIGSTOP, a suspended machine) holds the row of its partition's offset,
/// for which whoever is given the partition waits: the server ends its session.
const IDLE: &str = "SELECT set_config('idle_in_transaction_session_timeout', '15s', false) \
     WHERE current_setting('idle_in_transaction_session_timeout') = '0'";

impl Store {
    /// Connects and prepares.
    ///
    /// # Errors
    /// As the database has it.
    pub async fn open(settings: &PostgresSettings, group: &str, topic: &str) -> Result<Self, MaterializerError> {
        let session = postgres::connect(settings, "materializer").await?;
        // A commit that a crash of the server takes back takes state and offsets back together: its records are
        // applied again. So no batch waits for the disk. JIT costs more than it gives on these statements.
        session.client.batch_execute("SET synchronous_commit = off; SET jit = off").await?;
        // A projection that loops must not stop the others for ever; a limit of the role's or the database's own counts.
        session.client.batch_execute(LIMIT).await?;
        session.client.batch_execute(IDLE).await?;
        let listen = format!("LISTEN {}; LISTEN {}", super::PROJECTIONS, channels::PARKED);
        session.client.batch_execute(&listen).await?;
        let plan = Plan::load(&session.client).await?;
        let (park, fingerprint, advance, ingest) = tokio::try_join!(
            session.client.prepare(PARK),
            session.client.prepare(FINGERPRINT),
            session.client.prepare(ADVANCE),
            session.client.prepare(INGEST)
        )?;
        Ok(Self { session, plan, park, fingerprint, advance, ingest, group: group.to_owned(), topic: topic.to_owned() })
    }

    /// The connection.
    pub fn client(&self) -> &Client {
        &self.session.client
    }

    /// Group and topic, as they stand in the tables.
    pub fn names(&self) -> (&str, &str) {
        (&self.group, &self.topic)
    }

    /// What is stored of every partition.
    ///
    /// # Errors
    /// As the database has it.
    pub async fn stored(&self) -> Result<Vec<Stored>, MaterializerError> {
        let rows = self
            .client()
            .query(
                "SELECT partition, \"offset\", topic_id, error FROM lifestream.kafka_offsets WHERE consumer_group = $1 AND topic = $2",
                &[&self.group, &self.topic],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let (partition, next) = (row.try_get(0)?, row.try_get(1)?);
                Ok(Stored { partition, next, topic_id: row.try_get(2)?, error: row.try_get(3)? })
            })
            .collect()
    }

    /// Begins a partition that has no row yet; another member's row is left as it is.
    ///
    /// # Errors
    /// As the database has it.
    pub async fn begin_partition(&self, partition: i32, next: i64, topic_id: &str) -> Result<(), MaterializerError> {
        self.client()
            .execute(
                "INSERT INTO lifestream.kafka_offsets (consumer_group, topic, partition, \"offset\", topic_id, rate_offset) \
                 VALUES ($1, $2, $3, $4, $5, $4) ON CONFLICT DO NOTHING",
                &[&self.group, &self.topic, &partition, &next, &topic_id],
            )
            .await?;
        Ok(())
    }

    /// Notes what holds a partition up, or what it had to pass over, and moves it where `to` says so.
    ///
    /// # Errors
    /// As the database has it; [`MaterializerError::Overtaken`] if it is not where it was believed to be.
    pub async fn note(
        &self,
        partition: i32,
        expected: i64,
        to: i64,
        error: Option<&str>,
    ) -> Result<(), MaterializerError> {
        let changed = self
            .client()
            .execute(
                "UPDATE lifestream.kafka_offsets SET \"offset\" = $5, error = $6 \
                 WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND \"offset\" = $4",
                &[&self.group, &self.topic, &partition, &expected, &to, &error],
            )
            .await?;
        if changed == 1 { Ok(()) } else { Err(MaterializerError::Overtaken) }
    }

    /// Begins a transaction, moves offsets in it and records events as taken in, in one round trip.
    ///
    /// Gives the ids that were new.
    ///
    /// # Errors
    /// [`MaterializerError::Overtaken`] if an offset was not where it was believed to be, or the projections are others.
    pub async fn begin(
        &self,
        advances: &[Advance],
        events: &[(Uuid, i32, i64)],
    ) -> Result<HashSet<Uuid>, MaterializerError> {
        let partitions: Vec<_> = advances.iter().map(|advance| advance.partition).collect();
        let expected: Vec<_> = advances.iter().map(|advance| advance.expected).collect();
        let next: Vec<_> = advances.iter().map(|advance| advance.next).collect();
        let received: Vec<_> = advances.iter().map(|advance| advance.received).collect();
        let ids: Vec<_> = events.iter().map(|event| event.0).collect();
        let event_partitions: Vec<_> = events.iter().map(|event| event.1).collect();
        let offsets: Vec<_> = events.iter().map(|event| event.2).collect();
        let client = self.client();
        let advance = [
            &self.group as &(dyn tokio_postgres::types::ToSql + Sync),
            &self.topic,
            &partitions,
            &expected,
            &next,
            &received,
        ];
        let ingest =
            [&self.group as &(dyn tokio_postgres::types::ToSql + Sync), &self.topic, &ids, &event_partitions, &offsets];
        // Sent together, in this order.
        let ((), moved, fingerprint, new) = try_join4(
            client.batch_execute("BEGIN"),
            client.execute(&self.advance, &advance),
            client.query_one(&self.fingerprint, &[]),
            async { if ids.is_empty() { Ok(Vec::new()) } else { client.query(&self.ingest, &ingest).await } },
        )
        .await?;
        if moved != advances.len() as u64 || fingerprint.try_get::<_, &str>(0)? != self.plan.fingerprint {
            return Err(MaterializerError::Overtaken);
        }
        new.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
    /// Commits the transaction that [`Store::begin`] began.
    ///
    /// # Errors
    /// A deferred constraint of somebody's own table speaks only now: by its SQLSTATE, the event's fault.
    pub async fn commit(&self) -> Result<(), MaterializerError> {
        self.client().batch_execute("COMMIT").await.map_err(MaterializerError::Projection)
    }

    /// Ends the transaction after an error.
    pub async fn roll_back(&self) {
        // On a broken connection this fails as well, and the server rolls back by itself.
        if let Err(rollback) = self.client().batch_execute("ROLLBACK").await {
            tracing::debug!(%rollback, "after an error");
        }
    }
}
