//! What waits and what runs: order for each key, a bound on what runs at a time, and lanes.
//!
//! Nothing here waits or reads a clock; time is given.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::Lane;
use super::circuit::{Circuit, CircuitSettings, Verdict};
use super::lanes::Lanes;

/// Of many lanes each may have one of so many slots, so that those that do not answer leave some to others.
const SHARE: usize = 4;
/// Of many lanes so many tasks wait for each; the rest is put off. Enough to keep a lane busy until more comes, and few
/// enough that it takes dozens of large ones to fill the buffer.
const MOST_OF_LANE: usize = 32;

/// A task that came as a record.
#[derive(Debug)]
pub struct Item<T> {
    /// Its partition and offset.
    pub place: (i32, i64),
    /// Tasks of one key run one after the other, as they came.
    pub key: String,
    /// Whom it needs.
    pub lane: Option<Lane>,
    /// What it is.
    pub task: T,
}

/// Why a task is put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its lane is paused.
    Circuit,
    /// Too much else waits for its lane.
    Lane,
    /// The state lags behind.
    State,
}

impl Reason {
    /// As `lifestream.pending_retries` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Circuit => "circuit",
            Self::Lane => "lane",
            Self::State => "state",
        }
    }
}

/// A task that is put off, so that others do not wait behind it.
#[derive(Debug)]
pub struct Deferred<T> {
    /// The task.
    pub item: Item<T>,
    /// Why.
    pub reason: Reason,
    /// How long.
    pub wait: Duration,
}

/// Tasks of one member.
#[derive(Debug)]
pub struct Queue<T> {
    waiting: VecDeque<Item<T>>,
    keys: HashSet<String>,
    lanes: Lanes,
    running: usize,
    most_running: usize,
    /// Whether work of other lanes may stand behind that of a full or paused one. Where not, all of it waits, here and in
    /// Kafka: put off, it would only come back to stand in the same line.
    has_many_lanes: bool,
}

impl<T> Queue<T> {
    /// Runs so many at a time.
    pub fn new(most_running: usize, has_many_lanes: bool, settings: CircuitSettings) -> Self {
        let most_running = most_running.max(1);
        let most_of_lane = if has_many_lanes { (most_running / SHARE).max(1) } else { most_running };
        Self {
            waiting: VecDeque::new(),
            keys: HashSet::new(),
            lanes: Lanes::new(settings, most_of_lane),
            running: 0,
            most_running,
            has_many_lanes,
        }
    }

    /// A lane's circuit as it was left by a run before this one.
    pub fn restore(&mut self, lane: &str, circuit: Circuit, now: Instant) {
        self.lanes.restore(lane, circuit, now);
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// A lane's circuit.
    pub fn circuit(&self, lane: &str) -> Option<&Circuit> {
        self.lanes.circuit(lane)
    }

    /// Takes a task in, or gives it back because it is to be put off.
    pub fn offer(&mut self, item: Item<T>, now: Instant) -> Option<Deferred<T>> {
        if let Some(lane) = &item.lane {
            self.lanes.come(&lane.name, lane.interval, now);
            if let Some(reason) = self.refuses(&lane.name, now) {
                let wait = self.lanes.defer(&lane.name, now).saturating_duration_since(now);
                return Some(Deferred { item, reason, wait });
            }
            self.lanes.wait(&lane.name);
        }
        self.waiting.push_back(item);
        None
    }

    fn refuses(&self, lane: &str, now: Instant) -> Option<Reason> {
        if !self.has_many_lanes {
            None
        } else if self.lanes.paused_until(lane, now).is_some() {
            Some(Reason::Circuit)
        } else {
            (self.lanes.waiting(lane) >= MOST_OF_LANE).then_some(Reason::Lane)
        }
    }

    /// The next task that may start, now running: of those, the oldest one whose lane has the fewest running; with `true` where its lane's circuit has changed by that.
    pub fn take(&mut self, now: Instant) -> Option<(Item<T>, bool)> {
        if self.running >= self.most_running {
            return None;
        }
        let mut behind: HashSet<&str> = HashSet::new();
        let may_start = self.waiting.iter().enumerate().filter(|(_, item)| {
            let first = !self.keys.contains(&item.key) && behind.insert(&item.key);
            first && item.lane.as_ref().is_none_or(|lane| self.lanes.is_free(&lane.name, now))
        });
        let (at, _) =
            may_start.min_by_key(|(_, item)| item.lane.as_ref().map_or(0, |lane| self.lanes.running(&lane.name)))?;
        let item = self.waiting.remove(at)?;
        self.running += 1;
        self.keys.insert(item.key.clone());
        let changed = item.lane.as_ref().is_some_and(|lane| self.lanes.start(&lane.name, now));
        Some((item, changed))
    }

    /// The lane's pace, asked for again as one of its tasks starts.
    pub fn pace(&mut self, lane: &Lane, now: Instant) {
        self.lanes.pace(&lane.name, lane.interval, now);
    }

    /// A running task has ended.
    pub fn end(&mut self, key: &str, lane: Option<&str>) {
        self.running = self.running.saturating_sub(1);
        self.keys.remove(key);
        if let Some(lane) = lane {
            self.lanes.end(lane);
        }
    }

    /// What a task's end says about a lane, its own or another one. Gives `true` where the lane's circuit has changed, and
    /// what is put off because of that.
    pub fn judge(&mut self, lane: &str, verdict: &Verdict, now: Instant) -> (bool, Vec<Deferred<T>>) {
        let changed = self.lanes.judge(lane, verdict, now);
        let paused = changed && self.has_many_lanes && self.lanes.paused_until(lane, now).is_some();
        (changed, if paused { self.put_off(lane, now) } else { Vec::new() })
    }

    /// All that waits for a lane.
    fn put_off(&mut self, lane: &str, now: Instant) -> Vec<Deferred<T>> {
        let mut deferred = Vec::new();
        for item in std::mem::take(&mut self.waiting) {
            if item.lane.as_ref().is_some_and(|own| own.name == lane) {
                self.lanes.leave(lane);
                deferred.push(item);
            } else {
                self.waiting.push_back(item);
            }
        }
        let mut wait = || self.lanes.defer(lane, now).saturating_duration_since(now);
        deferred.into_iter().map(|item| Deferred { wait: wait(), item, reason: Reason::Circuit }).collect()
    }

    /// Forgets what waits of all partitions but these.
    pub fn retain(&mut self, partitions: &[i32]) {
        for item in std::mem::take(&mut self.waiting) {
            if partitions.contains(&item.place.0) {
                self.waiting.push_back(item);
            } else if let Some(lane) = &item.lane {
                self.lanes.leave(&lane.name);
            }
        }
    }

    /// Whether tasks wait, and every one of them for the end of a pause.
    pub fn is_paused(&self, now: Instant) -> bool {
        let paused =
            |item: &Item<T>| item.lane.as_ref().is_some_and(|lane| self.lanes.paused_until(&lane.name, now).is_some());
        self.running == 0 && !self.waiting.is_empty() && self.waiting.iter().all(paused)
    }

    /// When time alone lets a task start.
    pub fn wakes(&self, now: Instant) -> Option<Instant> {
        self.lanes.wakes(now)
    }
}

#[cfg(test)]
mod tests;
