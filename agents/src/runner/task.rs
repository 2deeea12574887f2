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
use super::queue::Reason;
use super::refusal::{self, Refusal};
use crate::{AgentError, Database};

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
    /// Says once that the database is away.
    pub away: Mutex<Outage>,
}

impl Shared {
    /// What the agent is lent.
    pub fn context(&self) -> Context<'_> {
        Context { database: &self.database, kafka: &self.kafka, group: &self.group }
    }

    /// The topic of the agent's work, without prefix.
    pub fn topic(&self) -> String {
        Work::topic(self.agent.work_type())
    }

    /// Whom a task needs; an agent that panics over this fails again when it handles the task.
    pub fn lane(&self, work: &Work) -> Option<Lane> {
        std::panic::catch_unwind(AssertUnwindSafe(|| self.agent.lane(work))).unwrap_or_default()
    }

    fn away(&self) -> std::sync::MutexGuard<'_, Outage> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
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
                    self.away().over();
                    return Ok(answer);
                }
                Err(error) => match refusal::of(&error) {
                    Refusal::Passing => self.away().down(&error),
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
            Err((Refusal::Answered, error)) => {
                tracing::debug!(%error, id = %answer.id, "answered already");
                Ok(())
            }
            Err((_, error)) => Err(error),
        }
    }

    /// Does the work that came as the record at this place, and sees to it that it is answered.
    pub async fn work(&self, work: &Work, place: (i32, i64)) -> Verdict {
        if self.is_answered(work).await {
            return Verdict::Neutral;
        }
        let (result, verdict) = self.handle(work).await;
        failpoint!("runner.handled");
        self.answer(work, place, result).await;
        failpoint!("runner.emitted");
        verdict
    }

    async fn is_answered(&self, work: &Work) -> bool {
        let asked = self.insist(|| answer::is_answered(&self.database, &self.group, work)).await;
        let is_answered = matches!(asked, Ok(true));
        if is_answered {
            tracing::debug!(work = %work.id, subject = work.subject_id, "answered already");
        }
        is_answered
    }

    async fn handle(&self, work: &Work) -> (Result<Fact, Failure>, Verdict) {
        let (agent, deadline, context) = (&self.agent, self.agent.deadline(), self.context());
        let handled = AssertUnwindSafe(agent.handle(work, &context)).catch_unwind();
        match tokio::time::timeout(deadline, handled).await {
            Ok(Ok(Ok(fact))) => (Ok(fact), Verdict::Worked),
            Ok(Ok(Err(failure))) => {
                let verdict = verdict(&failure);
                (Err(failure), verdict)
            }
            Ok(Err(panic)) => {
                let error = format!("{} panicked: {}", agent.name(), words(panic.as_ref()));
                tracing::error!(work = %work.id, subject = work.subject_id, "{error}");
                (Err(Failure::Passing { error, not_before: None }), Verdict::Neutral)
            }
            Err(_) => {
                let error = format!("not done within {deadline:?}");
                let failure = Failure::Passing { error, not_before: None };
                let verdict = verdict(&failure);
                (Err(failure), verdict)
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
        let (Failure::Passing { error, .. } | Failure::Permanent { error }) = &failure;
        tracing::info!(work = %work.id, subject = work.subject_id, attempt = work.attempt, "failed: {}", shortened(error, 300));
        // An event has a largest size, and a failure with its work is larger than the event that asked for it.
        let mut bare = work.clone();
        bare.omit_payload();
        let mut error = error.clone();
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
            self.away().down(&error);
            tokio::time::sleep(waits.next().unwrap_or_default()).await;
        }
    }

    /// Puts work off.
    pub async fn put_off(&self, work: &Work, place: (i32, i64), reason: Reason, wait: Duration) {
        if self.is_answered(work).await {
            return;
        }
        let stored = self.insist(|| answer::put_off(&self.database, &self.group, work, reason, wait)).await;
        let Err((_, error)) = stored else { return };
        // Such as a payload that jsonb cannot hold: nobody could send it again.
        let error = format!("cannot be put off: {error}");
        self.answer(work, place, Err(Failure::Permanent { error })).await;
    }
}

/// What a failure says about the host or API.
fn verdict(failure: &Failure) -> Verdict {
    match failure {
        Failure::Permanent { .. } => Verdict::Neutral,
        Failure::Passing { error, not_before } => {
            let wait = not_before.and_then(|time| Duration::try_from(time.duration_since(Timestamp::now())).ok());
            Verdict::Failed { error: error.clone(), not_before: wait.and_then(|wait| Instant::now().checked_add(wait)) }
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    shortened(text.unwrap_or("no words"), 300)
}
