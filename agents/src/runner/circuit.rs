//! A circuit breaker for one lane (a host or API).
//!
//! Failures in a row slow the lane down, then pause it; after each pause one task probes it before the others may go on.

use std::time::Duration;

use tokio::time::Instant;

/// When a circuit goes from one state to the next.
#[derive(Debug, Clone, Copy)]
pub struct CircuitSettings {
    /// Failures in a row that slow a lane down; as many again pause it.
    pub failures: u32,
    /// How many times its interval a slow lane leaves between two tasks.
    pub slow_factor: u32,
    /// The least that a slow lane leaves between two tasks.
    pub slow_interval: Duration,
    /// The first pause; it doubles with each probe that fails.
    pub pause: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Default for CircuitSettings {
    fn default() -> Self {
        Self {
            failures: 5,
            slow_factor: 10,
            slow_interval: Duration::from_secs(1),
            pause: Duration::from_secs(30),
            longest: Duration::from_secs(600),
        }
    }
}

/// Nobody is asked to wait longer than this before the lane is probed, whatever it says itself.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 3600);

/// What is known of a lane that fails is forgotten after so long without news of it.
pub const QUIET: Duration = Duration::from_secs(3600);

/// What a lane's circuit lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All is well.
    Closed,
    /// One task at a time, and seldom.
    Slow,
    /// Nothing until then; after that, one task.
    Paused {
        /// When it may be probed.
        until: Instant,
    },
    /// One task is on its way and decides.
    Probing,
}

/// How a task ended, as far as its lane is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was served.
    Worked,
    /// It was not, and that may be the host's doing.
    Failed {
        /// Why.
        error: String,
        /// Not to be asked again before, if it said so.
        not_before: Option<Instant>,
    },
    /// It says nothing about the host.
    Neutral,
}

/// The circuit of one lane.
#[derive(Debug, Clone)]
pub struct Circuit {
    state: State,
    failures: u32,
    /// The pause before this one, if the last probe failed.
    pause: Option<Duration>,
    error: String,
}

impl Default for Circuit {
    fn default() -> Self {
        Self { state: State::Closed, failures: 0, pause: None, error: String::new() }
    }
}

impl Circuit {
    /// As it was left by a run before this one.
    pub fn restored(state: State, failures: u32, error: String) -> Self {
        Self { state, failures, pause: None, error }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The last one's words.
    pub fn error(&self) -> &str {
        &self.error
    }

    /// Nothing may start before this.
    pub fn opens(&self) -> Option<Instant> {
        match self.state {
            State::Paused { until } => Some(until),
            _ => None,
        }
    }

    /// Whether one task at a time is all that may run.
    pub fn is_single(&self) -> bool {
        self.state != State::Closed
    }

    /// A task has started.
    pub fn started(&mut self) {
        if matches!(self.state, State::Paused { .. }) {
            self.state = State::Probing;
        }
    }

    /// A task has ended.
    pub fn ended(&mut self, verdict: &Verdict, settings: &CircuitSettings, now: Instant) {
        match verdict {
            Verdict::Worked => *self = Self::default(),
            Verdict::Neutral => {
                if self.state == State::Probing {
                    self.state = State::Paused { until: now };
                }
            }
            Verdict::Failed { error, not_before } => self.failed(error, *not_before, settings, now),
        }
    }

    fn failed(&mut self, error: &str, not_before: Option<Instant>, settings: &CircuitSettings, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        error.clone_into(&mut self.error);
        let limit = settings.failures.max(1);
        match self.state {
            // What was on its way when the pause began adds nothing to it.
            State::Paused { .. } => {}
            State::Probing => self.break_off(settings, now),
            State::Closed | State::Slow if self.failures >= limit.saturating_mul(2) => self.break_off(settings, now),
            State::Closed if self.failures >= limit => self.state = State::Slow,
            State::Closed | State::Slow => {}
        }
        if let Some(asked) = not_before.filter(|asked| *asked > now) {
            let asked = asked.min(now + LONGEST_ASKED);
            let until = self.opens().map_or(asked, |until| until.max(asked));
            self.state = State::Paused { until };
        }
    }

    fn break_off(&mut self, settings: &CircuitSettings, now: Instant) {
        let pause = self.pause.map_or(settings.pause, |pause| pause.saturating_mul(2)).min(settings.longest);
        self.pause = Some(pause);
        self.state = State::Paused { until: now + pause };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn failed() -> Verdict {
        Verdict::Failed { error: "503".to_owned(), not_before: None }
    }

    #[test]
    fn five_failures_slow_it_five_more_pause_it_and_one_probe_decides() {
        let (settings, now) = (CircuitSettings::default(), Instant::now());
        let mut circuit = Circuit::default();
        let end = |circuit: &mut Circuit, verdict, now| {
            circuit.started();
            circuit.ended(&verdict, &settings, now);
            circuit.state()
        };
        for _ in 0..4 {
            assert_eq!(end(&mut circuit, failed(), now), State::Closed);
        }
        for _ in 0..5 {
            assert_eq!(end(&mut circuit, failed(), now), State::Slow);
        }
        let mut until = now + Duration::from_secs(30);
        assert_eq!(end(&mut circuit, failed(), now), State::Paused { until });
        for seconds in [60, 120, 240, 480, 600, 600] {
            circuit.started();
            assert_eq!(circuit.state(), State::Probing);
            let next = until + Duration::from_secs(seconds);
            assert_eq!(end(&mut circuit, failed(), until), State::Paused { until: next });
            until = next;
        }
        assert_eq!((circuit.failures(), circuit.error()), (16, "503"));
        assert_eq!(end(&mut circuit, Verdict::Neutral, until), State::Paused { until });
        assert_eq!(end(&mut circuit, Verdict::Worked, until), State::Closed);
        assert_eq!(circuit.failures(), 0);
    }

    #[test]
    fn a_success_in_between_starts_the_count_anew() {
        let (settings, now) = (CircuitSettings::default(), Instant::now());
        let mut circuit = Circuit::default();
        for _ in 0..20 {
            for _ in 0..4 {
                circuit.ended(&failed(), &settings, now);
                circuit.ended(&Verdict::Neutral, &settings, now);
            }
            circuit.ended(&Verdict::Worked, &settings, now);
            assert_eq!(circuit.state(), State::Closed);
        }
    }

    #[test]
    fn retry_after_pauses_at_once_but_never_for_more_than_a_day() {
        let (settings, now) = (CircuitSettings::default(), Instant::now());
        let mut circuit = Circuit::default();
        let asked =
            |seconds| Verdict::Failed { error: "429".to_owned(), not_before: Some(now + Duration::from_secs(seconds)) };
        circuit.ended(&asked(90), &settings, now);
        assert_eq!(circuit.opens(), Some(now + Duration::from_secs(90)));
        // A shorter one of a task that was on its way opens nothing.
        circuit.ended(&asked(10), &settings, now);
        assert_eq!(circuit.opens(), Some(now + Duration::from_secs(90)));
        circuit.ended(&asked(1_000_000_000), &settings, now);
        assert_eq!(circuit.opens(), Some(now + Duration::from_secs(86_400)));
    }

    proptest! {
        /// Whatever happens in whatever order: it never pauses for longer than the longest pause, and once served it is closed.
        #[test]
        fn it_always_opens_again(steps in prop::collection::vec((0_u8..4, 0_u64..100), 1..200)) {
            let settings = CircuitSettings::default();
            let mut now = Instant::now();
            let mut circuit = Circuit::default();
            for (what, seconds) in steps {
                now += Duration::from_secs(seconds);
                match what {
                    0 => circuit.started(),
                    1 => circuit.ended(&failed(), &settings, now),
                    2 => circuit.ended(&Verdict::Neutral, &settings, now),
                    _ => {
                        circuit.ended(&Verdict::Worked, &settings, now);
                        prop_assert_eq!(circuit.state(), State::Closed);
                    }
                }
                if let Some(until) = circuit.opens() {
                    prop_assert!(until <= now + settings.longest);
                }
                prop_assert!(circuit.failures() >= settings.failures || circuit.state() == State::Closed);
            }
        }
    }
}
