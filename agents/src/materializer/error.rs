//! What can go wrong in the materializer.

use lifestream_envelope::kafka::KafkaError;
use lifestream_envelope::postgres::PostgresError;

use super::fault;

/// Why a member could not go on, or not apply a batch.
#[derive(Debug, thiserror::Error)]
pub enum MaterializerError {
    /// The database could not be reached.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The database answered a statement of the bookkeeping with an error, or the connection broke.
    #[error("PostgreSQL: {}", fault::describe(.0))]
    Statement(#[from] tokio_postgres::Error),
    /// A projection, or what it wrote, met an error.
    #[error("projection: {}", fault::describe(.0))]
    Projection(tokio_postgres::Error),
    /// Kafka could not be reached or refused what is needed.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The consumer itself cannot work any longer, or could not be made.
    #[error("Kafka consumer: {0}")]
    Consumer(#[from] rdkafka::error::KafkaError),
    /// The topic is missing.
    #[error("topic {0} does not exist: run `lifestream init` (KAFKA_BROKERS and KAFKA_TOPIC_PREFIX say where)")]
    TopicMissing(String),
    /// Offsets, parked events or projections are not as they were read: another member is ahead, or somebody has
    /// released or registered something.
    #[error("offsets, parked events or projections have changed: reading them again")]
    Overtaken,
    /// This database is a copy of another, or its topic another's: nothing may be consumed for it.
    #[error("{0}")]
    HeldBack(String),
    /// Partitions that cannot go on without a person's decision.
    #[error("{0}")]
    Stopped(String),
}

impl MaterializerError {
    /// Whether trying again is pointless: the process should end and say so.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Postgres(e) => e.is_permanent(),
            Self::Kafka(e) => e.is_permanent(),
            Self::Stopped(_) => true,
            Self::Statement(_)
            | Self::Projection(_)
            | Self::Consumer(_)
            | Self::TopicMissing(_)
            | Self::HeldBack(_)
            | Self::Overtaken => false,
        }
    }
}
