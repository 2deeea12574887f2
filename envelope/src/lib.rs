//! What every part of pg_lifestream speaks: settings, topics and headers, derived ids, the event on the wire, and the
//! clients for Kafka and PostgreSQL.

pub mod backoff;
pub mod channels;
pub mod event;
pub mod failpoint;
pub mod groups;
pub mod headers;
pub mod ids;
pub mod kafka;
pub mod outage;
pub mod postgres;
pub mod settings;
pub mod tls;
pub mod topics;
pub mod work;

/// How long a part works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until it is told to stop.
    Shutdown,
    /// Until there is nothing left to do: nothing unpublished, no lag.
    Idle,
}
