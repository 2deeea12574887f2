//! The bridge: publishes what is committed in `lifestream.events` to Kafka's `events.raw`, once, in order for each
//! subject, and flips `published_to_kafka`.
//!
//! An [`epoch`] begins with the [`start`] procedure (lease, topic, reconciliation) and ends with the first fault or
//! with shutdown. Within it the [`reader`] looks for rows, the [`publisher`] sends them through the [`sender`], the [`saver`] flips flags;
//! the [`tracker`] knows every number in between.

mod epoch;
mod error;
mod findings;
mod fitness;
pub mod gaps;
mod lease;
mod liveness;
mod parking;
mod publisher;
pub mod reader;
pub mod row;
mod saver;
mod sender;
mod start;
mod topic_tail;
pub mod tracker;
pub mod unflag;
mod watch;

use lifestream_envelope::Until;
use lifestream_envelope::backoff;
use lifestream_envelope::kafka::Kafka;
use lifestream_envelope::outage::Outage;
use lifestream_envelope::settings::Settings;
use tokio_util::sync::CancellationToken;

use epoch::{Carry, Ended};
pub use error::BridgeError;

/// Publishes until `shutdown`, or until nothing is left where `until` is [`Until::Idle`].
///
/// Postgres or Kafka being away, at the start too, is waited out with backoff.
///
/// # Errors
/// Only what trying again cannot help, see [`BridgeError::is_permanent`].
pub async fn run(settings: &Settings, shutdown: CancellationToken, until: Until) -> Result<(), BridgeError> {
    let kafka = Kafka::new(&settings.kafka)?;
    let mut carry = Carry { suspect_until: None, started: false, outage: Outage::new("bridge") };
    let mut waits = backoff::forever();
    loop {
        carry.started = false;
        let ended = epoch::run(settings, &kafka, &shutdown, until, &mut carry).await;
        if carry.started {
            waits = backoff::forever();
        }
        match ended {
            Ok(Ended::Done) => return Ok(()),
            Ok(Ended::Again) => continue,
            Err(fault @ BridgeError::Refused { .. }) => {
                tracing::warn!(%fault, "sending one by one to find and park it");
                continue;
            }
            Err(fault) if fault.is_permanent() => return Err(fault),
            // Until somebody decides there is nothing else to do; whoever waits for the end is told.
            Err(fault @ BridgeError::Halted(_)) if until == Until::Idle => return Err(fault),
            Err(fault) => {
                if let Some(finding) = fault.finding() {
                    findings::report_outside(&settings.postgres, &finding).await;
                }
                carry.outage.down(&fault);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(waits.next().unwrap_or_default()) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}
