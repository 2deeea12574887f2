//! Runs an agent: consume → handle with bounded concurrency, order kept for each key → emit → commit.
//!
//! What waits and what may run is decided in [`queue`] (with [`lanes`] and [`circuit`]), without any IO. A [`task`] sees
//! whether its work is answered already, has the agent do it, and has the [`answer`] emitted; the [`worker`] joins the
//! group, hands out tasks, and has offsets committed up to the first record that is not done. Whatever ends the process
//! in between, the work comes again, and its answer's derived id makes a repeat harmless.

mod agent;
mod answer;
mod board;
mod circuit;
mod lanes;
mod malformed;
mod others;
mod queue;
mod refusal;
mod task;
mod worker;

pub use agent::{Agent, Context, Fact, Failure, Lane};
pub(crate) use answer::shortened;
pub use circuit::CircuitSettings;
#[cfg(test)]
pub(crate) use circuit::{Circuit, State};
pub use others::Others;
pub use task::STATE;

use std::sync::{Arc, Mutex};

use lifestream_envelope::kafka::Kafka;
use lifestream_envelope::outage::Outage;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::{Until, backoff};
use tokio_util::sync::CancellationToken;

use crate::{AgentError, Database};
use task::Shared;
use worker::Worker;

/// So many tasks are held at a time; more wait in Kafka.
const MOST_WAITING: usize = 1_000;

/// What one run of an agent may choose.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Consumer group, before the prefix is put to it; none for the agent's own. Another group does all work that is
    /// retained anew, and its results are new facts.
    pub group: Option<String>,
    /// When lanes slow down, pause and are probed. There is no setting for it: tests shorten it.
    pub circuits: CircuitSettings,
}

/// Works until `shutdown`, or until no work is left where `until` is [`Until::Idle`]. Work that waits for its time in
/// `lifestream.pending_retries`, or for the end of its only API's pause in Kafka, is not awaited.
///
/// Postgres or Kafka being away is waited out with backoff. On shutdown no task is begun, those that run may end.
///
/// # Errors
/// What trying again cannot help ([`AgentError::is_permanent`]).
pub async fn run(
    settings: &Settings,
    agent: impl Agent,
    options: Options,
    shutdown: CancellationToken,
    until: Until,
) -> Result<(), AgentError> {
    let kafka = Kafka::new(&settings.kafka)?;
    let name = agent.name();
    let group = options.group.unwrap_or_else(|| agent.group().to_owned());
    let database = Arc::new(Database::new(&settings.postgres, &format!("agent {name}")));
    let (away, lagging) = (Mutex::new(Outage::new(name)), Mutex::new(Outage::new(name)));
    let others = Others::default();
    let shared = Arc::new(Shared { agent: Box::new(agent), database, kafka, group, others, away, lagging });
    let mut outage = Outage::new(name);
    let mut waits = backoff::forever();
    loop {
        let mut worker = Worker::new(&shared, options.circuits, until);
        let ended = tokio::select! {
            ready = worker.prepare() => match ready {
                Ok(()) => {
                    outage.over();
                    worker.work(&shutdown).await
                }
                Err(error) => Err(error),
            },
            () = shutdown.cancelled() => return Ok(()),
        };
        if worker.has_worked() {
            waits = backoff::forever();
        }
        match ended {
            Ok(()) => return Ok(()),
            Err(error) if error.is_permanent() => return Err(error),
            // Until somebody decides there is nothing else to do; whoever waits for the end is told.
            Err(error @ AgentError::HeldBack(_)) if until == Until::Idle => return Err(error),
            Err(error) => outage.down(&error),
        }
        tokio::select! {
            () = tokio::time::sleep(waits.next().unwrap_or_default()) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}
