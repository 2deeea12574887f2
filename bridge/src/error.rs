//! What can go wrong in the bridge, and what it does about it.

use lifestream_envelope::kafka::KafkaError;
use lifestream_envelope::postgres::PostgresError;

use crate::findings::{self, Finding};

/// Why an epoch of the bridge ended.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The database could not be reached or answered with an error.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The database answered a statement with an error, or the connection broke.
    #[error("PostgreSQL: {}", describe(.0))]
    Statement(#[from] tokio_postgres::Error),
    /// Kafka could not be reached or refused what is needed.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// A message failed in a way that says nothing about the message itself.
    #[error("Kafka did not take a message: {0}")]
    Delivery(rdkafka::error::KafkaError),
    /// Kafka will never take this message.
    #[error("Kafka refuses event seq {seq}: {reason}")]
    Refused {
        /// The event's number.
        seq: u64,
        /// The broker's or the client's words.
        reason: String,
    },
    /// Nothing has been acknowledged for too long.
    #[error("Kafka does not acknowledge messages (KAFKA_BROKERS)")]
    Stalled,
    /// Another bridge took the lease.
    #[error("another bridge has taken over (epoch {0} is no longer the newest)")]
    Fenced(i64),
    /// The lease ran out before it could be renewed.
    #[error("the lease ran out before it could be renewed: PostgreSQL answers too slowly, or this process was stopped")]
    LeaseExpired,
    /// A connection is dead, and nobody has said so.
    #[error(
        "PostgreSQL does not answer on one of the connections, and is not at work for it: something in between has forgotten it (DATABASE_URL)"
    )]
    Silent,
    /// `events.raw` is missing.
    #[error("topic {0} does not exist: run `lifestream init` (KAFKA_BROKERS and KAFKA_TOPIC_PREFIX say where)")]
    TopicMissing(String),
    /// `events.raw` was deleted, made again, cut off or given partitions while it was published to.
    #[error("topic {0} is not what it was when publishing began: looking at it anew")]
    TopicChanged(String),
    /// A person has to decide.
    #[error("{0}")]
    Halted(Box<Finding>),
    /// A task of the epoch panicked; its words are above in the log.
    #[error("a task of the bridge failed by a bug of ours")]
    Panicked,
    /// The database is a standby.
    #[error("DATABASE_URL leads to a standby, which is read-only: waiting until it is promoted")]
    Standby,
    /// Something that a person has to put right first; trying again does not help.
    #[error("{0}")]
    Unfit(String),
}

impl BridgeError {
    /// Whether trying again is pointless: the process should end and say so.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Postgres(e) => e.is_permanent(),
            Self::Kafka(e) => e.is_permanent(),
            Self::Unfit(_) => true,
            Self::Statement(_)
            | Self::Delivery(_)
            | Self::Refused { .. }
            | Self::Stalled
            | Self::Fenced(_)
            | Self::LeaseExpired
            | Self::Silent
            | Self::Panicked
            | Self::Standby
            | Self::TopicMissing(_)
            | Self::TopicChanged(_)
            | Self::Halted(_) => false,
        }
    }

    /// What people should see of it in `lifestream.findings`, where that was not noted in the course of it.
    pub fn finding(&self) -> Option<Finding> {
        let Self::TopicMissing(topic) = self else { return None };
        Some(Finding {
            name: findings::TOPIC_MISSING,
            about: topic.clone(),
            found: format!("topic {topic} does not exist: nothing is published"),
            remedy: "run `lifestream init` (KAFKA_BROKERS and KAFKA_TOPIC_PREFIX say where)".to_owned(),
        })
    }
}

/// tokio-postgres says only "db error": what the server said is in its source.
fn describe(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |e| format!("{} ({})", e.message(), e.code().code()))
}
