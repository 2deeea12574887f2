//! One task: seen whether it is answered, done, and answered.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use lifestream_envelope::backoff;
use lifestream_envelope::failpoint;
use lifestream_envelope::kafka::Kafka;
use lifestream_envelope::outage::Outage;
use lifestream_envelope::work::Work;
use tokio::time::Instant;

use super::agent::{Agent, Context, Fact, Failure, Lane};
use super::answer::{self, Answer, shortened};
use super::circuit::Verdict;
use super::malformed;
use super::others::Others;
use super::queue::Reason;
use super::refusal::{self, Refusal};
use crate::{AgentError, Database};

/// What work waits for that is not ready for it: as a lane it stands in `lifestream.circuits` and the status while that lasts.
pub const STATE: &str = "the state";

/// What all tasks of an agent share.
pub struct Shared {
    /// The agent.
    pub agent: Box<dyn Agent>,
    /// For answers, and what the agent reads.
    pub database: Arc<Database>,
    /// For the agent.
    pub kafka: Kafka,
    /// The consumer group, without prefix.
    pub group: String,
    /// Lanes that tasks come to beside their own.
    pub others: Others,
    /// Says once that the database is away.
    pub away: Mutex<Outage>,
    /// Says once that work waits for the state.
    pub lagging: Mutex<Outage>,
}

impl Shared {
    /// What the agent is lent.
    pub fn context(&self) -> Context<'_> {
        Context { database: &self.database, kafka: &self.kafka, group: &self.group, others: &self.others }
    }

    /// The topic of the agent's work, without prefix.
    pub fn topic(&self) -> String {
        Work::topic(self.agent.work_type())
    }

    /// Whom a task needs; an agent that panics over this fails again when it handles the task.
    pub fn lane(&self, work: &Work) -> Option<Lane> {
        std::panic::catch_unwind(AssertUnwindSafe(|| self.agent.lane(work))).unwrap_or_default()
    }

    /// Asks the database for as long as it takes.
    ///
    /// # Errors
    /// What will not pass: see [`refusal`].
    async fn insist<T, F: Future<Output = Result<T, AgentError>>>(
        &self,
        mut ask: impl FnMut() -> F,
    ) -> Result<T, (Refusal, AgentError)> {
        let mut waits = backoff::forever();
        loop {
            match ask().await {
                Ok(answer) => {
                    lock(&self.away).over();
                    return Ok(answer);
                }
                Err(error) => match refusal::of(&error) {
                    Refusal::Passing => lock(&self.away).down(&error),
                    refusal => return Err((refusal, error)),
                },
            }
            tokio::time::sleep(waits.next().unwrap_or_default()).await;
        }
    }

    async fn emit(&self, answer: &Answer) -> Result<(), AgentError> {
        let source = format!("agent/{}", self.agent.name());
        match self.insist(|| answer.emit(&self.database, &source)).await {
            Ok(()) => Ok(()),
            Err((Refusal::Unique, error)) => {
                let exists = self.insist(|| answer::exists(&self.database, answer.id)).await;
                if !matches!(exists, Ok(true)) {
                    return Err(error);
                }
                tracing::debug!(%error, id = %answer.id, "answered already");
                Ok(())
            }
            Err((_, error)) => Err(error),
        }
    }

    /// Does the work that came as the record at this place, for this lane, and sees to it that it is answered or put off.
    pub async fn work(&self, work: &Work, place: (i32, i64), lane: Option<&str>) -> Outcome {
        if self.is_answered(work).await {
            return Verdict::Neutral.into();
        }
        let (result, outcome) = self.handle(work, lane).await;
        failpoint!("runner.handled");
        match &result {
            Err(Failure::NotYet { reason, wait: Some(wait) }) => {
                tracing::debug!(work = %work.id, subject = work.subject_id, ?wait, "{reason}");
                self.put_off(work, place, Reason::Lane, *wait).await;
                return outcome;
            }
            Err(Failure::NotYet { reason, wait: None }) => {
                lock(&self.lagging).down(reason);
                self.put_off(work, place, Reason::State, lag(work, Timestamp::now())).await;
                return outcome;
            }
            _ => {}
        }
        if result.is_ok() {
            lock(&self.lagging).over();
        }
        self.answer(work, place, result).await;
        failpoint!("runner.emitted");
        outcome
    }

    async fn is_answered(&self, work: &Work) -> bool {
        let asked = self.insist(|| answer::is_answered(&self.database, &self.group, work)).await;
        let is_answered = matches!(asked, Ok(true));
        if is_answered {
            tracing::debug!(work = %work.id, subject = work.subject_id, "answered already");
        }
        is_answered
    }

    async fn handle(&self, work: &Work, lane: Option<&str>) -> (Result<Fact, Failure>, Outcome) {
        let (agent, deadline, context) = (&self.agent, self.agent.deadline(), self.context());
        let handled = AssertUnwindSafe(agent.handle(work, &context)).catch_unwind();
        match tokio::time::timeout(deadline, handled).await {
            Ok(Ok(Ok(fact))) => {
                // What it needed of the state was there.
                (Ok(fact), Outcome { own: Verdict::Worked, other: Some((STATE.to_owned(), Verdict::Worked)) })
            }
            Ok(Ok(Err(failure))) => {
                let outcome = Outcome::of(&failure, lane);
                (Err(failure), outcome)
            }
            Ok(Err(panic)) => {
                let error = format!("{} panicked: {}", agent.name(), words(panic.as_ref()));
                tracing::error!(work = %work.id, subject = work.subject_id, "{error}");
                (Err(Failure::passing(error)), Verdict::Neutral.into())
            }
            Err(_) => {
                let failure = Failure::passing(format!("not done within {deadline:?}"));
                let outcome = Outcome::of(&failure, lane);
                (Err(failure), outcome)
            }
        }
    }

    /// Emits what came of the work. What will not be taken is told in fewer words, until something is.
    async fn answer(&self, work: &Work, place: (i32, i64), result: Result<Fact, Failure>) {
        let group = &self.group;
        let failure = match result {
            Ok(fact) => {
                let event_type = fact.event_type;
                let Err(refused) = self.emit(&Answer::fact(group, work, fact)).await else { return };
                // The same fact would be refused again.
                Failure::Permanent { error: format!("{event_type} was refused: {refused}") }
            }
            Err(failure) => failure,
        };
        let error = failure.error();
        tracing::info!(work = %work.id, subject = work.subject_id, attempt = work.attempt, "failed: {}", shortened(error, 300));
        // An event has a largest size, and a failure with its work is larger than the event that asked for it.
        let mut bare = work.clone();
        bare.omit_payload();
        let mut error = error.to_owned();
        for work in [work, &bare] {
            match self.emit(&Answer::failure(group, work, &failure)).await {
                Ok(()) => return,
                Err(refused) => {
                    tracing::warn!(work = %work.id, "work.failed was refused: {refused}");
                    error = format!("{error} (and the message was refused: {refused})");
                }
            }
        }
        let raw = work.value().unwrap_or_default();
        self.tell(&malformed::answer(group, &self.topic(), place, &raw, &error)).await;
    }

    /// Emits what cannot be told in fewer words.
    pub async fn tell(&self, answer: &Answer) {
        let mut waits = backoff::forever();
        while let Err(error) = self.emit(answer).await {
            lock(&self.away).down(&error);
            tokio::time::sleep(waits.next().unwrap_or_default()).await;
        }
    }

    /// Puts work off.
    pub async fn put_off(&self, work: &Work, place: (i32, i64), reason: Reason, wait: Duration) {
        if self.is_answered(work).await {
            return;
        }
        failpoint!("runner.putting_off");
        let stored = self.insist(|| answer::put_off(&self.database, &self.group, work, reason, wait)).await;
        failpoint!("runner.put_off");
        let Err((_, error)) = stored else { return };
        // Such as a payload that jsonb cannot hold: nobody could send it again.
        let error = format!("cannot be put off: {error}");
        self.answer(work, place, Err(Failure::Permanent { error })).await;
    }
}

/// What a task's end says about the hosts or APIs that it needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// About its own lane.
    pub own: Verdict,
    /// About another one by that name, where that is to blame.
    pub other: Option<(String, Verdict)>,
}

impl From<Verdict> for Outcome {
    fn from(own: Verdict) -> Self {
        Self { own, other: None }
    }
}

impl Outcome {
    fn of(failure: &Failure, own: Option<&str>) -> Self {
        let (error, not_before, lane) = match failure {
            Failure::Passing { error, not_before, lane } => (error, not_before, lane),
            Failure::NotYet { reason, wait: None } => {
                let failed = Verdict::Failed { error: reason.clone(), not_before: None };
                return Self { own: Verdict::Neutral, other: Some((STATE.to_owned(), failed)) };
            }
            Failure::NotYet { .. } | Failure::Permanent { .. } => return Verdict::Neutral.into(),
        };
        let wait = not_before.and_then(|time| Duration::try_from(time.duration_since(Timestamp::now())).ok());
        let not_before = wait.and_then(|wait| Instant::now().checked_add(wait));
        let failed = Verdict::Failed { error: error.clone(), not_before };
        match lane {
            Some(other) if own != Some(other) => Self { own: Verdict::Worked, other: Some((other.clone(), failed)) },
            _ => failed.into(),
        }
    }
}

/// How long work is put off that waits for the state: a quarter of its age, so that it comes soon after a state that lags
/// a little, and seldom while the state stands still.
fn lag(work: &Work, now: Timestamp) -> Duration {
    const SOONEST: Duration = Duration::from_secs(1);
    const LATEST: Duration = Duration::from_secs(60);
    let born = work.not_before.map_or(work.created_at, |time| time.max(work.created_at));
    let age = Duration::try_from(now.duration_since(born)).unwrap_or_default();
    (age / 4).clamp(SOONEST, LATEST)
}

/// Nothing panics while it is held.
fn lock(outage: &Mutex<Outage>) -> std::sync::MutexGuard<'_, Outage> {
    outage.lock().unwrap_or_else(PoisonError::into_inner)
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    shortened(text.unwrap_or("no words"), 300)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_failure_is_told_to_the_lane_that_it_is_about() {
        let failed = || Verdict::Failed { error: "503".to_owned(), not_before: None };
        let failure = |lane: Option<&str>| Failure::Passing {
            error: "503".to_owned(),
            not_before: None,
            lane: lane.map(str::to_owned),
        };
        let elsewhere = Outcome { own: Verdict::Worked, other: Some(("dead:80".to_owned(), failed())) };
        for (blamed, expected) in
            [(None, failed().into()), (Some("short:443"), failed().into()), (Some("dead:80"), elsewhere)]
        {
            assert_eq!(Outcome::of(&failure(blamed), Some("short:443")), expected, "{blamed:?}");
        }
        let turn = Failure::NotYet { reason: "x".to_owned(), wait: Some(Duration::from_secs(9)) };
        for nobodys in [Failure::Permanent { error: "x".to_owned() }, turn] {
            assert_eq!(Outcome::of(&nobodys, Some("short:443")), Verdict::Neutral.into());
        }
        // No host's failure, and yet it is to be seen.
        let lags = Failure::NotYet { reason: "503".to_owned(), wait: None };
        let seen = Outcome { own: Verdict::Neutral, other: Some((STATE.to_owned(), failed())) };
        assert_eq!(Outcome::of(&lags, Some("short:443")), seen);
    }

    #[test]
    fn work_that_waits_for_the_state_comes_again_within_a_minute_and_not_at_once() {
        let mut work = Work::parse(
            br#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","subject_id":"s","work_type":"publish_link",
            "correlation_id":null,"triggered_by_event_id":"01890a5d-ac96-774b-bcce-b302099a8058","attempt":1,
            "max_attempts":3,"created_at":"2026-01-01T00:00:00Z","not_before":null,"last_error":null,"payload":{}}"#,
        )
        .unwrap();
        for (now, seconds) in [
            ("2025-12-31T23:59:00Z", 1),
            ("2026-01-01T00:00:00Z", 1),
            ("2026-01-01T00:00:20Z", 5),
            ("2026-01-01T00:02:00Z", 30),
            ("2026-02-01T00:00:00Z", 60),
        ] {
            assert_eq!(lag(&work, now.parse().unwrap()), Duration::from_secs(seconds), "{now}");
        }
        // A retry is as old as its turn.
        work.not_before = Some("2026-01-31T23:59:40Z".parse().unwrap());
        assert_eq!(lag(&work, "2026-02-01T00:00:00Z".parse().unwrap()), Duration::from_secs(5));
    }
}
