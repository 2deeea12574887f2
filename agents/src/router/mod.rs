//! The router: turns facts into tasks.
//!
//! It reads `events.raw` as a group whose offsets are committed in Kafka, but only once everything that a batch leads to
//! is safe ([`worker`]): work on its topics, attempts that come later in `lifestream.pending_retries`, dead letters as events.
//! Every id is derived, so a batch that is routed again after a crash is the same work, which agents do once. Routes
//! ([`plan`]) have guards and maps, asked set-based ([`ask`]). What is due of `pending_retries` is sent by the dispatcher
//! ([`dispatch`]), and the catalog of tags is kept by the member that has partition 0 ([`tags`]).

mod answered;
mod ask;
mod batch;
mod dispatch;
mod handing;
mod letters;
mod pending;
mod plan;
mod retry;
mod routing;
mod tags;
mod worker;

pub use plan::{Route, registered};

use std::sync::{Arc, Mutex};

use lifestream_envelope::kafka::Kafka;
use lifestream_envelope::outage::Outage;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::{Until, backoff, groups};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{AgentError, Database};
use dispatch::Dispatcher;
use routing::Router;
use tags::{Keeper, Seen};
use worker::Worker;

/// What one run of the router may choose.
#[derive(Debug, Clone)]
pub struct Options {
    /// Consumer group, before the prefix is put to it.
    pub group: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { group: groups::ROUTER.to_owned() }
    }
}

/// Routes until `shutdown`, or until nothing is left to route where `until` is [`Until::Idle`]: retries that lie in the
/// future are not awaited.
///
/// Postgres or Kafka being away, at the start too, is waited out with backoff. On shutdown the batch at hand is finished
/// and the group is left.
///
/// # Errors
/// What trying again cannot help ([`AgentError::is_permanent`]).
pub async fn run(
    settings: &Settings,
    options: Options,
    shutdown: CancellationToken,
    until: Until,
) -> Result<(), AgentError> {
    let kafka = Kafka::new(&settings.kafka)?;
    let database = Arc::new(Database::new(&settings.postgres, "router"));
    let (seen, woken) = (Arc::new(Mutex::new(Seen::default())), Arc::new(Notify::new()));
    let keeper = Arc::new(tokio::sync::Mutex::new(Keeper::new(&kafka, &options.group, &database, &seen)));
    let stop = CancellationToken::new();
    let beside = [
        tokio::spawn(Dispatcher::new(&settings.postgres, &kafka, Arc::clone(&woken)).run(stop.clone())),
        tokio::spawn(tags::keep(Arc::clone(&keeper), stop.clone())),
    ];
    let worker = Worker::new(settings, &kafka, &seen, &woken);
    let mut router = Router::new(&kafka, &options.group, until, worker, seen, keeper, database);
    let mut outage = Outage::new("router");
    let mut waits = backoff::forever();
    let ended = loop {
        match router.work(&shutdown).await {
            Ok(()) => break Ok(()),
            Err(error) if error.is_permanent() => break Err(error),
            // Until somebody decides there is nothing else to do; whoever waits for the end is told.
            Err(error @ AgentError::HeldBack(_)) if until == Until::Idle => break Err(error),
            Err(error) => outage.down(&error),
        }
        if router.has_worked() {
            waits = backoff::forever();
        }
        tokio::select! {
            () = tokio::time::sleep(waits.next().unwrap_or_default()) => {}
            () = shutdown.cancelled() => break Ok(()),
        }
    };
    stop.cancel();
    for task in beside {
        if let Err(panic) = task.await {
            tracing::error!(%panic, "router");
        }
    }
    ended
}
