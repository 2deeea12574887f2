//! The lanes that tasks run in: how many wait and run in each, its pace, and its circuit.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::circuit::{Circuit, CircuitSettings, QUIET, State, Verdict};

/// From so many lanes on, those that say nothing any more are forgotten.
const MANY: usize = 1_000;
/// The least time that one deferred task is put behind another one, where the lane keeps no pace.
const APART: Duration = Duration::from_millis(20);

/// All lanes that have been heard of lately.
#[derive(Debug)]
pub struct Lanes {
    settings: CircuitSettings,
    /// How many tasks may run in one of them.
    most_running: usize,
    lanes: HashMap<String, Lane>,
    /// From so many on they are looked through.
    many: usize,
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
    /// When a task came or ended last.
    heard: Option<Instant>,
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

    fn is_free(&self, most_running: usize, now: Instant) -> bool {
        let most_running = if self.circuit.is_single() { 1 } else { most_running };
        self.opens().is_none_or(|opens| opens <= now) && self.running < most_running
    }

    fn is_forgettable(&self, now: Instant) -> bool {
        let kept = if self.circuit.failures() == 0 { Duration::ZERO } else { QUIET };
        let last = self.heard.max(self.opens()).max(self.deferred);
        self.waiting == 0 && self.running == 0 && last.is_none_or(|last| last + kept <= now)
    }
}

impl Lanes {
    /// With these limits, and nothing heard of yet.
    pub fn new(settings: CircuitSettings, most_running: usize) -> Self {
        Self { settings, most_running, lanes: HashMap::new(), many: MANY }
    }

    /// A lane's circuit as it was left by a run before this one.
    pub fn restore(&mut self, name: &str, circuit: Circuit, now: Instant) {
        let lane = self.lanes.entry(name.to_owned()).or_default();
        (lane.circuit, lane.heard) = (circuit, Some(now));
    }

    /// A task for this lane has come.
    pub fn come(&mut self, name: &str, interval: Duration, now: Instant) {
        if self.lanes.len() >= self.many && !self.lanes.contains_key(name) {
            self.lanes.retain(|_, lane| !lane.is_forgettable(now));
            self.many = MANY.max(2 * self.lanes.len());
        }
        let lane = self.lanes.entry(name.to_owned()).or_default();
        (lane.interval, lane.heard) = (interval, Some(now));
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

    /// How many run.
    pub fn running(&self, name: &str) -> usize {
        self.lanes.get(name).map_or(0, |lane| lane.running)
    }

    /// Whether a task may start.
    pub fn is_free(&self, name: &str, now: Instant) -> bool {
        self.lanes.get(name).is_none_or(|lane| lane.is_free(self.most_running, now))
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

    /// A task has ended.
    pub fn end(&mut self, name: &str) {
        if let Some(lane) = self.lanes.get_mut(name) {
            lane.running = lane.running.saturating_sub(1);
        }
    }

    /// What a task's end says about a lane; `true` where the circuit's state has changed. One that no task came for, such as a
    /// host that redirects lead to, has a circuit from its first failure on.
    pub fn judge(&mut self, name: &str, verdict: &Verdict, now: Instant) -> bool {
        let settings = self.settings;
        if matches!(verdict, Verdict::Failed { .. }) && !self.lanes.contains_key(name) {
            self.come(name, Duration::ZERO, now);
        }
        let Some(lane) = self.lanes.get_mut(name) else { return false };
        let before = lane.circuit.state();
        if lane.running == 0 && lane.circuit.opens().is_some_and(|opens| opens <= now) {
            // Nobody starts in such a lane: whoever came by after the pause was the probe.
            lane.circuit.started();
        }
        lane.heard = Some(now);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_only_redirects_lead_to_has_a_circuit_of_its_own() {
        let (mut lanes, start) = (Lanes::new(CircuitSettings::default(), 2), Instant::now());
        let failed = Verdict::Failed { error: "503".to_owned(), not_before: None };
        assert!(!lanes.judge("far", &Verdict::Worked, start) && lanes.circuit("far").is_none());
        for _ in 0..10 {
            lanes.judge("far", &failed, start);
        }
        let first = lanes.paused_until("far", start).map(|until| until - start);
        assert_eq!(first, Some(CircuitSettings::default().pause));
        // What was on its way adds nothing; what comes by after the pause decides.
        lanes.judge("far", &failed, start);
        let later = start + CircuitSettings::default().pause;
        lanes.judge("far", &failed, later);
        assert_eq!(lanes.paused_until("far", later).map(|until| until - later), first.map(|first| first * 2));
        assert!(lanes.judge("far", &Verdict::Worked, later));
        assert_eq!(lanes.circuit("far").map(Circuit::state), Some(State::Closed));
    }

    #[test]
    fn lanes_that_fail_are_forgotten_after_a_quiet_hour_and_those_at_work_are_not() {
        let (mut lanes, start) = (Lanes::new(CircuitSettings::default(), 2), Instant::now());
        let failed = Verdict::Failed { error: "refused".to_owned(), not_before: None };
        let fail = |lanes: &mut Lanes, name: &str, now| {
            lanes.come(name, Duration::ZERO, now);
            lanes.wait(name);
            lanes.start(name, now);
            lanes.end(name);
            lanes.judge(name, &failed, now);
        };
        for host in 0..3_000 {
            fail(&mut lanes, &format!("dead{host}"), start);
        }
        assert_eq!(lanes.lanes.len(), 3_000);
        let later = start + QUIET;
        fail(&mut lanes, "dead7", later - Duration::from_secs(1));
        lanes.come("busy", Duration::ZERO, start);
        lanes.wait("busy");
        for host in 0..3_000 {
            fail(&mut lanes, &format!("more{host}"), later);
        }
        let kept: Vec<_> = ["busy", "dead7", "dead8"].map(|name| lanes.lanes.contains_key(name)).into();
        assert_eq!((kept, lanes.lanes.len()), (vec![true, true, false], 3_002));
    }
}
