//! What an agent is to the runner.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use lifestream_envelope::kafka::Kafka;
use lifestream_envelope::work::Work;

use super::others::Others;
use crate::{AgentError, Database};

/// Does one type of work. The runner consumes, keeps order and pace, emits what comes of it, and commits.
#[async_trait]
pub trait Agent: Send + Sync + 'static {
    /// Its name, such as `fetcher`: in log lines, and the `source` of its events.
    fn name(&self) -> &'static str;

    /// The work that it does, such as `fetch_link`.
    fn work_type(&self) -> &'static str;

    /// Its consumer group, with its version.
    fn group(&self) -> &'static str;

    /// How many tasks run at a time.
    fn concurrency(&self) -> usize {
        8
    }

    /// How long one task may take; longer, it is broken off and has failed in a way that may pass.
    fn deadline(&self) -> Duration {
        Duration::from_secs(120)
    }

    /// Gets ready before the first task, and after each time that it failed.
    ///
    /// # Errors
    /// What passes is tried again with backoff, no task is begun meanwhile.
    async fn prepare(&self, _context: &Context<'_>) -> Result<(), AgentError> {
        Ok(())
    }

    /// The host or API that a task needs, if it needs one: its tasks keep a pace, and a circuit breaker watches over it.
    /// Asked when a task comes, and again for the pace when it starts: an agent may learn of it meanwhile.
    fn lane(&self, _work: &Work) -> Option<Lane> {
        None
    }

    /// Whether all its tasks have one and the same lane: what stands behind them could not go on either, and waits in
    /// Kafka however much there is.
    fn has_one_lane(&self) -> bool {
        false
    }

    /// Does a task. It may be called again for the same work (after a crash, by another member): the fact counts once,
    /// other effects must bear the repeat.
    ///
    /// # Errors
    /// Says whether trying again can help.
    async fn handle(&self, work: &Work, context: &Context<'_>) -> Result<Fact, Failure>;
}

/// What the runner lends an agent.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// For reading state, one statement at a time.
    pub database: &'a Database,
    /// For reading topics.
    pub kafka: &'a Kafka,
    /// The consumer group that works, without prefix.
    pub group: &'a str,
    /// For lanes that a task comes to beside its own.
    pub others: &'a Others,
}

/// What came of a task. The runner emits it about the work's subject, with the id derived from group and work.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Such as `content.fetched`.
    pub event_type: &'static str,
    /// A JSON object.
    pub payload: serde_json::Value,
}

/// Why a task failed. The runner emits it as `work.failed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It may work later.
    Passing {
        /// For people; no secret in it.
        error: String,
        /// Not earlier than this, if the other side said so (Retry-After).
        not_before: Option<Timestamp>,
        /// The lane that it is about, where that is another one than the task's own, such as the host that a redirect led
        /// to. The own one has served then.
        lane: Option<String>,
    },
    /// Nobody has failed: what it needs is not there yet, such as state that lags behind, or its turn at a host. It comes
    /// again as the same attempt, for as long as it takes.
    NotYet {
        /// For people, in the log and in the status: the same words for all such work. No secret in it.
        reason: String,
        /// When, where that is known; else after up to a minute.
        wait: Option<Duration>,
    },
    /// Trying again cannot help: straight to the dead letters.
    Permanent {
        /// For people; no secret in it.
        error: String,
    },
}

impl Failure {
    /// It may work later, whenever that is.
    pub fn passing(error: impl Into<String>) -> Self {
        Self::Passing { error: error.into(), not_before: None, lane: None }
    }

    /// What happened, for people.
    pub fn error(&self) -> &str {
        match self {
            Self::Passing { error, .. } | Self::Permanent { error } => error,
            Self::NotYet { reason, .. } => reason,
        }
    }
}

/// A host or API, for its pace and its circuit breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Such as `example.org:443`.
    pub name: String,
    /// Least time between the starts of two tasks.
    pub interval: Duration,
}
