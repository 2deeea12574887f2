//! The lanes that tasks run in: how many wait and run in each, its pace, and its circuit.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::circuit::{Circuit, CircuitSettings, State, Verdict};

/// Lanes that say nothing any more are forgotten beyond this number.
const MOST: usize = 1_000;
/// The least time that one deferred task is put behind another one, where the lane keeps no pace.
const APART: Duration = Duration::from_millis(20);

/// All lanes that have been heard of lately.
#[derive(Debug)]
pub struct Lanes {
    settings: CircuitSettings,
    lanes: HashMap<String, Lane>,
}

#[derive(Debug, Default)]
struct Lane {
    interval: Duration,
    waiting: usize,
    running: usize,
    /// The pace allows no start before this.
    next: Option<Instant>,
    /// Until when deferred tasks have been put off.
    deferred: Option<Instant>,
    circuit: Circuit,
}

impl Lane {
    fn interval(&self, settings: &CircuitSettings) -> Duration {
        if self.circuit.state() == State::Slow {
            self.interval.saturating_mul(settings.slow_factor).max(settings.slow_interval)
        } else {
            self.interval
        }
    }

    fn opens(&self) -> Option<Instant> {
        self.next.max(self.circuit.opens())
    }

    fn is_free(&self, now: Instant) -> bool {
        self.opens().is_none_or(|opens| opens <= now) && !(self.circuit.is_single() && self.running > 0)
    }

    fn is_forgettable(&self, now: Instant) -> bool {
        self.waiting == 0
            && self.running == 0
            && self.circuit.failures() == 0
            && self.opens().is_none_or(|opens| opens <= now)
            && self.deferred.is_none_or(|deferred| deferred <= now)
    }
}

impl Lanes {
    /// With these limits, and nothing heard of yet.
    pub fn new(settings: CircuitSettings) -> Self {
        Self { settings, lanes: HashMap::new() }
    }

    /// A lane's circuit as it was left by a run before this one.
    pub fn restore(&mut self, name: &str, circuit: Circuit) {
        self.lanes.entry(name.to_owned()).or_default().circuit = circuit;
    }

    /// A task for this lane has come.
    pub fn come(&mut self, name: &str, interval: Duration, now: Instant) {
        if self.lanes.len() >= MOST && !self.lanes.contains_key(name) {
            self.lanes.retain(|_, lane| !lane.is_forgettable(now));
        }
        self.lanes.entry(name.to_owned()).or_default().interval = interval;
    }

    /// The pace from the start that is now: an agent may have learned of another one since the task came.
    pub fn pace(&mut self, name: &str, interval: Duration, now: Instant) {
        if let Some(lane) = self.lanes.get_mut(name).filter(|lane| lane.interval != interval) {
            lane.interval = interval;
            lane.next = Some(now + lane.interval(&self.settings));
        }
    }

    /// The lane's circuit is paused until then.
    pub fn paused_until(&self, name: &str, now: Instant) -> Option<Instant> {
        self.lanes.get(name)?.circuit.opens().filter(|until| *until > now)
    }

    /// How many wait.
    pub fn waiting(&self, name: &str) -> usize {
        self.lanes.get(name).map_or(0, |lane| lane.waiting)
    }

    /// When a task should come again that is put off now: one after the other, at the lane's pace.
    pub fn defer(&mut self, name: &str, now: Instant) -> Instant {
        let settings = self.settings;
        let lane = self.lanes.entry(name.to_owned()).or_default();
        let pace = lane.interval(&settings).max(APART);
        let waiting = u32::try_from(lane.waiting).unwrap_or(u32::MAX);
        let open = lane.circuit.opens().unwrap_or(now).max(now + pace.saturating_mul(waiting));
        let at = lane.deferred.map_or(open, |last| open.max(last + pace));
        lane.deferred = Some(at);
        at
    }

    /// A task waits.
    pub fn wait(&mut self, name: &str) {
        if let Some(lane) = self.lanes.get_mut(name) {
            lane.waiting += 1;
        }
    }

    /// A task waits no more, and has not started.
    pub fn leave(&mut self, name: &str) {
        if let Some(lane) = self.lanes.get_mut(name) {
            lane.waiting = lane.waiting.saturating_sub(1);
        }
    }

    /// Whether a task may start.
    pub fn is_free(&self, name: &str, now: Instant) -> bool {
        self.lanes.get(name).is_none_or(|lane| lane.is_free(now))
    }

    /// A task that waited has started; `true` where the circuit's state has changed.
    pub fn start(&mut self, name: &str, now: Instant) -> bool {
        let settings = self.settings;
        let Some(lane) = self.lanes.get_mut(name) else { return false };
        let before = lane.circuit.state();
        lane.waiting = lane.waiting.saturating_sub(1);
        lane.running += 1;
        lane.circuit.started();
        lane.next = Some(now + lane.interval(&settings));
        lane.circuit.state() != before
    }

    /// A task has ended; `true` where the circuit's state has changed.
    pub fn end(&mut self, name: &str, verdict: &Verdict, now: Instant) -> bool {
        let settings = self.settings;
        let Some(lane) = self.lanes.get_mut(name) else { return false };
        let before = lane.circuit.state();
        lane.running = lane.running.saturating_sub(1);
        lane.circuit.ended(verdict, &settings, now);
        if lane.circuit.state() == State::Slow && before != State::Slow {
            lane.next = lane.next.max(Some(now + lane.interval(&settings)));
        }
        lane.circuit.state() != before
    }

    /// A lane's circuit.
    pub fn circuit(&self, name: &str) -> Option<&Circuit> {
        self.lanes.get(name).map(|lane| &lane.circuit)
    }

    /// When time alone lets a task start that waits now.
    pub fn wakes(&self, now: Instant) -> Option<Instant> {
        let waiting = self.lanes.values().filter(|lane| lane.waiting > 0);
        waiting.filter_map(Lane::opens).filter(|opens| *opens > now).min()
    }
}
