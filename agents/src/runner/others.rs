//! Lanes that a task comes to by the way: hosts that a redirect leads to. No task stands in line for them, so that their circuits
//! are looked at where they are met.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::circuit::Circuit;

/// What is known of lanes that have failed lately.
#[derive(Debug, Default)]
pub struct Others {
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Debug, Default)]
struct Known {
    paused_until: Option<Instant>,
    /// It has served since.
    served: bool,
}

impl Others {
    /// For how long the lane's circuit is paused still.
    pub fn paused(&self, lane: &str) -> Option<Duration> {
        let until = self.known().get(lane)?.paused_until?;
        until.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero())
    }

    /// The lane has served: its failures are no longer in a row.
    pub fn served(&self, lane: &str) {
        if let Some(known) = self.known().get_mut(lane) {
            known.served = true;
        }
    }

    /// Where the lane's circuit stands.
    pub(crate) fn note(&self, lane: &str, circuit: &Circuit) {
        if circuit.failures() == 0 {
            self.known().remove(lane);
        } else {
            self.known().insert(lane.to_owned(), Known { paused_until: circuit.opens(), served: false });
        }
    }

    /// Those that have served since their last failure; told once.
    pub(super) fn take_served(&self) -> Vec<String> {
        let mut known = self.known();
        let served: Vec<String> =
            known.iter().filter(|(_, known)| known.served).map(|(lane, _)| lane.clone()).collect();
        for lane in &served {
            known.remove(lane);
        }
        served
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        // Nothing panics while it is held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
