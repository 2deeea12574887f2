//! The materializer: applies the records of `events.raw` to the state tables, each event once.
//!
//! Offsets live in `lifestream.kafka_offsets` and change in the transaction of the state that they stand for, by
//! compare-and-set ([`batch`]); Kafka's own committed offsets only serve tools that show lag. So a crash, a repeat or a second member that
//! believes it owns a partition changes nothing ([`store`]). A [`record`] that is no event, and an event that its
//! [`projections`] refuse, is parked with its error; what follows in its subject waits behind it, until a
//! person decides and [`release`] carries it out. What is an event's own fault and what will pass is decided in [`fault`], where a member may begin in [`start`].

mod batch;
mod error;
mod fault;
mod member;
mod options;
mod parking;
mod positions;
mod projections;
pub mod rebuild;
mod record;
mod release;
mod start;
mod store;

use lifestream_envelope::kafka::Kafka;
use lifestream_envelope::outage::Outage;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::{Until, backoff};
use tokio_util::sync::CancellationToken;

pub use error::MaterializerError;
pub use fault::describe;
pub(crate) use fault::{Fault, is_of_data, of_statement as fault_of};
pub use options::Options;

use member::Member;

/// PostgreSQL notification channel: the registered projections have changed.
pub const PROJECTIONS: &str = "lifestream_projections";

/// Applies events until `shutdown`, or until every partition is applied to its end where `until` is [`Until::Idle`].
///
/// Postgres or Kafka being away, at the start too, is waited out with backoff. On shutdown the batch at hand is
/// finished and the group is left.
///
/// # Errors
/// What trying again cannot help ([`MaterializerError::is_permanent`]); with [`Until::Idle`] also a partition that
/// cannot go on by itself.
pub async fn run(
    settings: &Settings,
    options: Options,
    shutdown: CancellationToken,
    until: Until,
) -> Result<(), MaterializerError> {
    let kafka = Kafka::new(&settings.kafka)?;
    let mut outage = Outage::new("materializer");
    let mut waits = backoff::forever();
    loop {
        let mut member = Member::new(settings, &kafka, &options, until);
        let ended = member.work(&shutdown).await;
        if member.has_worked() {
            waits = backoff::forever();
            outage.over();
        }
        match ended {
            Ok(()) => return Ok(()),
            Err(error) if error.is_permanent() => return Err(error),
            // Until somebody decides there is nothing else to do; whoever waits for the end is told.
            Err(error @ MaterializerError::HeldBack(_)) if until == Until::Idle => return Err(error),
            Err(error) => outage.down(&error),
        }
        tokio::select! {
            () = tokio::time::sleep(waits.next().unwrap_or_default()) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}
