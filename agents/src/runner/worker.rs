//! One member of the agent's group at work: from getting ready to leaving, or to the first trouble that needs a new start.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use lifestream_envelope::work::Work;
use lifestream_envelope::{Until, failpoint};
use rdkafka::message::{Message, OwnedMessage};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::board::{self, Board};
use super::circuit::{CircuitSettings, Verdict};
use super::queue::{Deferred, Item, Queue};
use super::task::{Outcome, Shared};
use super::{MOST_WAITING, malformed};
use crate::AgentError;
use crate::consumer::{Member, MemberEvent, Progress};

/// How often offsets are committed while there is work.
const COMMIT: Duration = Duration::from_secs(1);
/// How often the worker looks around.
const TICK: Duration = Duration::from_millis(100);
/// How long running tasks may take to end on shutdown.
const DRAIN: Duration = Duration::from_secs(25);

/// A task that runs: the agent's, or one that tells the database something.
struct Running {
    place: (i32, i64),
    /// Key and lane of the agent's.
    queued: Option<(String, Option<String>)>,
    abort: AbortHandle,
}

/// A member and what it has in hand.
pub struct Worker {
    shared: Arc<Shared>,
    until: Until,
    queue: Queue<Arc<Work>>,
    tasks: JoinSet<Outcome>,
    running: HashMap<Id, Running>,
    board: Board,
    committed: Instant,
    worked: bool,
}

impl Worker {
    /// One that has not joined yet.
    pub fn new(shared: &Arc<Shared>, circuits: CircuitSettings, until: Until) -> Self {
        let agent = &shared.agent;
        Self {
            shared: Arc::clone(shared),
            until,
            queue: Queue::new(agent.concurrency(), !agent.has_one_lane(), circuits),
            tasks: JoinSet::new(),
            running: HashMap::new(),
            board: Board::new(&shared.database, shared.kafka.group(&shared.group)),
            committed: Instant::now(),
            worked: false,
        }
    }

    /// Whether it came as far as joining.
    pub fn has_worked(&self) -> bool {
        self.worked
    }

    /// Sees that the database is there, and has the agent get ready.
    ///
    /// # Errors
    /// What one of them needs is missing.
    pub async fn prepare(&mut self) -> Result<(), AgentError> {
        let shared = Arc::clone(&self.shared);
        shared.database.claim().await?;
        for (lane, circuit) in board::load(&shared.database, &shared.kafka.group(&shared.group)).await? {
            shared.others.note(&lane, &circuit);
            self.queue.restore(&lane, circuit, Instant::now());
        }
        shared.agent.prepare(&shared.context()).await
    }

    /// Works until told to stop, or until all is done where that was asked for.
    ///
    /// # Errors
    /// What needs a new start, or cannot be helped at all.
    pub async fn work(&mut self, shutdown: &CancellationToken) -> Result<(), AgentError> {
        let (kafka, name, group) = (&self.shared.kafka, self.shared.agent.name(), self.shared.group.clone());
        let topic = self.shared.topic();
        let mut progress = Progress::new(kafka, &self.shared.database, name, &group);
        let mut member = tokio::select! {
            joined = Member::join(kafka, name, &group, &topic) => joined?,
            () = shutdown.cancelled() => return Ok(()),
        };
        self.worked = true;
        let ended = self.consume(&mut member, &mut progress, shutdown).await;
        if ended.is_ok() && shutdown.is_cancelled() {
            self.drain(&mut member).await;
        }
        self.tasks.shutdown().await;
        progress.finish(&member).await;
        member.leave().await;
        self.board.finish().await;
        ended
    }

    async fn consume(
        &mut self,
        member: &mut Member,
        progress: &mut Progress,
        shutdown: &CancellationToken,
    ) -> Result<(), AgentError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut held = true;
        loop {
            if !held {
                self.start_tasks();
            }
            self.keep_bounds(member);
            let wakes = self.queue.wakes(Instant::now()).filter(|_| !held);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended, member)?,
                _ = tick.tick() => {
                    self.commit(member);
                    progress.tick(member);
                    if !held && self.is_done(member).await {
                        return Ok(());
                    }
                }
                said = member.next() => match said? {
                    MemberEvent::Record(record) => self.receive(&record),
                    MemberEvent::Assigned { kept, .. } => {
                        self.drop_all_but(&kept);
                        held = false;
                    }
                    MemberEvent::Revoked { lost } => {
                        held = true;
                        if lost {
                            self.drop_all_but(&[]);
                        }
                    }
                },
                () = tokio::time::sleep_until(wakes.unwrap_or_else(Instant::now)), if wakes.is_some() => {}
            }
        }
    }

    /// A record: taken in, put off, or told as malformed.
    fn receive(&mut self, record: &OwnedMessage) {
        failpoint!("runner.received");
        let place = (record.partition(), record.offset());
        let shared = Arc::clone(&self.shared);
        let work = match malformed::parse(record, shared.agent.work_type()) {
            Ok(work) => Arc::new(work),
            Err(error) => {
                let (topic, name) = (shared.topic(), shared.agent.name());
                tracing::warn!("{name}: partition {}, offset {} of {topic}: {error}", place.0, place.1);
                let raw = record.payload().unwrap_or_default();
                let answer = malformed::answer(&shared.group, &topic, place, raw, &error);
                return self.spawn(place, None, async move {
                    shared.tell(&answer).await;
                    Verdict::Neutral.into()
                });
            }
        };
        let lane = shared.lane(&work);
        let item = Item { place, key: work.subject_id.clone(), lane, task: work };
        if let Some(deferred) = self.queue.offer(item, Instant::now()) {
            self.put_off(deferred);
        }
    }

    fn put_off(&mut self, deferred: Deferred<Arc<Work>>) {
        let Deferred { item: Item { place, task: work, .. }, reason, wait } = deferred;
        let shared = Arc::clone(&self.shared);
        tracing::debug!(work = %work.id, subject = work.subject_id, reason = reason.name(), ?wait, "put off");
        self.spawn(place, None, async move {
            shared.put_off(&work, place, reason, wait).await;
            Verdict::Neutral.into()
        });
    }

    fn start_tasks(&mut self) {
        let now = Instant::now();
        while let Some((item, changed)) = self.queue.take(now) {
            let Item { place, key, lane, task: work } = item;
            let lane = lane.map(|lane| lane.name);
            if let Some(said) = self.shared.lane(&work).filter(|said| Some(&said.name) == lane.as_ref()) {
                self.queue.pace(&said, now);
            }
            if changed {
                self.note(lane.as_deref(), now);
            }
            let shared = Arc::clone(&self.shared);
            let own = lane.clone();
            self.spawn(place, Some((key, lane)), async move { shared.work(&work, place, own.as_deref()).await });
        }
    }

    fn spawn(
        &mut self,
        place: (i32, i64),
        queued: Option<(String, Option<String>)>,
        task: impl Future<Output = Outcome> + Send + 'static,
    ) {
        let abort = self.tasks.spawn(task);
        self.running.insert(abort.id(), Running { place, queued, abort });
    }

    fn ended(&mut self, ended: Result<(Id, Outcome), JoinError>, member: &Member) -> Result<(), AgentError> {
        let (id, outcome) = match ended {
            Ok(ended) => ended,
            // Ended by us, and known as such.
            Err(error) if error.is_cancelled() => return Ok(()),
            // Not the agent's panic, which is caught: this member knows no more where it stands.
            Err(error) => return Err(AgentError::Panicked(error.to_string())),
        };
        // One that ended in the moment in which it was dropped comes again.
        if let Some(Running { place, queued, .. }) = self.running.remove(&id) {
            self.release(queued, outcome);
            member.done(place.0, place.1);
        }
        Ok(())
    }

    fn release(&mut self, queued: Option<(String, Option<String>)>, outcome: Outcome) {
        let Some((key, lane)) = queued else { return };
        self.queue.end(&key, lane.as_deref());
        let now = Instant::now();
        let served = self.shared.others.take_served().into_iter().map(|lane| (lane, Verdict::Worked));
        for (lane, verdict) in lane.map(|lane| (lane, outcome.own)).into_iter().chain(served).chain(outcome.other) {
            let (changed, deferred) = self.queue.judge(&lane, &verdict, now);
            if let Some(circuit) = self.queue.circuit(&lane) {
                self.shared.others.note(&lane, circuit);
            }
            if changed {
                self.note(Some(&lane), now);
            }
            for deferred in deferred {
                self.put_off(deferred);
            }
        }
    }

    fn note(&self, lane: Option<&str>, now: Instant) {
        if let Some((lane, circuit)) = lane.and_then(|lane| Some((lane, self.queue.circuit(lane)?))) {
            self.board.note(self.shared.agent.name(), lane, circuit, now);
        }
    }

    /// Drops what is in hand of other partitions: it comes again, here or at another member.
    fn drop_all_but(&mut self, partitions: &[i32]) {
        self.queue.retain(partitions);
        let gone = self.running.extract_if(|_, running| !partitions.contains(&running.place.0));
        for (_, Running { queued, abort, .. }) in gone.collect::<Vec<_>>() {
            abort.abort();
            self.release(queued, Verdict::Neutral.into());
        }
    }

    /// Takes no more records while too many are in hand.
    fn keep_bounds(&self, member: &mut Member) {
        let in_hand = self.queue.waiting() + self.running.len();
        if in_hand >= MOST_WAITING {
            member.pause();
        } else if in_hand <= MOST_WAITING / 2 {
            member.resume();
        }
    }

    fn commit(&mut self, member: &mut Member) {
        let is_idle = self.queue.waiting() == 0 && self.running.is_empty();
        if !is_idle && self.committed.elapsed() < COMMIT {
            return;
        }
        self.committed = Instant::now();
        if member.commit() {
            failpoint!("runner.committed");
        }
    }

    /// Whether every record of the topic is done, whichever member had it, where this one is to leave then.
    async fn is_done(&self, member: &Member) -> bool {
        if self.until != Until::Idle || !self.running.is_empty() {
            return false;
        }
        // No more than work that was put off: it stays in Kafka.
        if self.queue.is_paused(Instant::now()) {
            return true;
        }
        if self.queue.waiting() > 0 || member.is_open() {
            return false;
        }
        member.is_drained().await.unwrap_or_else(|error| {
            tracing::debug!(%error, "asking whether all is done");
            false
        })
    }

    /// Lets running tasks end, as long as that takes no longer than it should. The group is kept meanwhile.
    async fn drain(&mut self, member: &mut Member) {
        member.pause();
        self.queue.retain(&[]);
        let end = Instant::now() + DRAIN;
        while !self.running.is_empty() {
            tokio::select! {
                biased;
                Some(ended) = self.tasks.join_next_with_id() => if self.ended(ended, member).is_err() { return; },
                said = member.next() => match said {
                    Ok(MemberEvent::Assigned { kept, .. }) => self.drop_all_but(&kept),
                    Ok(MemberEvent::Revoked { lost: true }) => self.drop_all_but(&[]),
                    Ok(_) => {}
                    Err(_) => return,
                },
                () = tokio::time::sleep_until(end) => {
                    tracing::warn!("{}: {} tasks broken off, not done within {DRAIN:?}; they come again",
                        self.shared.agent.name(), self.running.len());
                    return;
                }
            }
        }
    }
}
