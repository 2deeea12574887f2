//! What can go wrong in the router and in the agents' runner.

use lifestream_envelope::kafka::KafkaError;
use lifestream_envelope::postgres::PostgresError;

use crate::materializer::describe;

/// Why a part could not go on.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The database could not be reached.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The database answered with an error, or the connection broke.
    #[error("PostgreSQL: {}", describe(.0))]
    Statement(#[from] tokio_postgres::Error),
    /// Kafka could not be reached or refused what is needed.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The consumer or producer itself cannot work any longer, or could not be made.
    #[error("Kafka client: {0}")]
    Client(#[from] rdkafka::error::KafkaError),
    /// A topic is missing.
    #[error("topic {0} does not exist: run `lifestream init` (KAFKA_BROKERS and KAFKA_TOPIC_PREFIX say where)")]
    TopicMissing(String),
    /// A task of the part's own panicked: what it was about comes again.
    #[error("a task panicked: {0}")]
    Panicked(String),
    /// This database is a copy of another, or its topic another's: nothing may be consumed for it.
    #[error("{0}")]
    HeldBack(String),
    /// A setting that this part needs is missing or wrong; the text names it.
    #[error("{0}")]
    Setting(String),
    /// The publisher's folder cannot be written to now; the text names it.
    #[error("{0}")]
    Folder(String),
}

impl AgentError {
    /// Whether trying again is pointless: the process should end and say so.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Postgres(e) => e.is_permanent(),
            Self::Kafka(e) => e.is_permanent(),
            Self::Setting(_) => true,
            Self::Statement(_)
            | Self::Client(_)
            | Self::TopicMissing(_)
            | Self::Panicked(_)
            | Self::HeldBack(_)
            | Self::Folder(_) => false,
        }
    }

    /// Whether a setting is to blame: exit code 78.
    pub fn is_setting(&self) -> bool {
        match self {
            Self::Postgres(e) => e.is_setting(),
            Self::Kafka(e) => e.is_setting(),
            Self::Setting(_) => true,
            Self::Statement(_)
            | Self::Client(_)
            | Self::TopicMissing(_)
            | Self::Panicked(_)
            | Self::HeldBack(_)
            | Self::Folder(_) => false,
        }
    }
}
