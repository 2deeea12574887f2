//! What the records of a batch ask the router to do.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use lifestream_envelope::event::Event;
use lifestream_envelope::settings::RetrySettings;
use lifestream_envelope::work::Work;
use lifestream_envelope::{headers, ids};
use rdkafka::message::{Headers, Message, OwnedMessage};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::ask::{Answer, ByValue};
use super::letters::{DEAD_LETTERED, DeadLetter};
use super::plan::Plan;
use super::retry::{self, Next, Retry};

/// Events after which the tags of links may be others.
const CONCERN_TAGS: [&str; 5] = ["link.added", "link.removed", "enrichment.completed", "tag.merged", "tag.dropped"];

/// A record that the router has something to do with.
pub struct Taken<'a> {
    value: &'a str,
    event: Event,
    /// Numbers of the routes that take it.
    routes: &'a [usize],
}

/// A batch, read.
#[derive(Default)]
pub struct Batch<'a> {
    taken: Vec<Taken<'a>>,
    /// The last offset of each partition that concerns tags.
    pub tags: BTreeMap<i32, i64>,
}

/// What a batch comes to.
#[derive(Default)]
pub struct Outcome {
    /// Work to hand on, in the order of the events, each with the event that it follows from.
    pub work: Vec<(Work, Uuid)>,
    /// Events `work.dead_lettered`, for their topic.
    pub letters: Vec<Event>,
    /// Attempts that come later.
    pub retries: Vec<Retry>,
    /// What to give up.
    pub dead: Vec<DeadLetter>,
}

impl<'a> Batch<'a> {
    /// Reads records. Of most it is enough to see their type.
    pub fn read(records: &'a [OwnedMessage], plan: &'a Plan) -> Self {
        let mut batch = Self::default();
        for record in records {
            if header(record, headers::MARKER).is_some() {
                continue;
            }
            let Some(event_type) = header(record, headers::EVENT_TYPE) else {
                pass_over(record, "it has no header event_type");
                continue;
            };
            if CONCERN_TAGS.contains(&event_type) {
                batch.tags.insert(record.partition(), record.offset());
            }
            if !is_own(event_type) && plan.of_event(event_type).is_empty() {
                continue;
            }
            match read(record, plan) {
                Ok(taken) => batch.taken.push(taken),
                Err(error) => pass_over(record, &error),
            }
        }
        batch
    }

    /// What has to be asked: for each event the routes that take it and have a guard or a map.
    pub fn questions(&self, plan: &Plan) -> Vec<ByValue<'a>> {
        let mut questions = Vec::new();
        for taken in &self.taken {
            let routes = taken.routes.iter().copied();
            questions.extend(
                routes.filter(|route| is_asked(plan, *route)).map(|route| ByValue { route, value: taken.value }),
            );
        }
        questions
    }

    /// Decides, with the answers to all questions in their order.
    pub fn decide(self, plan: &Plan, answers: Vec<Answer>, retry: &RetrySettings) -> Outcome {
        let mut answers = answers.into_iter();
        let mut outcome = Outcome::default();
        let now = Timestamp::now();
        for Taken { event, routes, .. } in self.taken {
            for number in routes {
                let Some(route) = plan.routes.get(*number) else { continue };
                let mut work = first_attempt(&event, &route.work_type, route.max_attempts, now);
                let answer = match (&route.trouble, is_asked(plan, *number)) {
                    (Some(trouble), _) => Answer::Broken(trouble.clone()),
                    (None, true) => answers.next().unwrap_or(Answer::Unknown),
                    (None, false) => Answer::Yes(None),
                };
                match answer {
                    Answer::No => {}
                    Answer::Yes(payload) => {
                        work.payload = payload.unwrap_or(work.payload);
                        outcome.work.push((work, event.id));
                    }
                    Answer::Unknown => outcome.work.push((work, event.id)),
                    Answer::Broken(error) => {
                        // What the map would have made of it is not known: a retry asks again.
                        if route.maps {
                            work.omit_payload();
                        }
                        outcome.dead.push(DeadLetter::of_router(work, error, now, event.id));
                    }
                }
            }
            outcome.follow(event, retry, |work_type| plan.backoff(work_type));
        }
        outcome
    }
}

impl Outcome {
    /// What the router's own events ask for.
    fn follow(&mut self, event: Event, settings: &RetrySettings, backoff: impl Fn(&str) -> Option<Duration>) {
        let followed = match event.event_type.as_str() {
            FAILED => retry::of_failure(&event, settings, backoff).map(|next| match next {
                Next::Retry(retry) => self.retries.push(*retry),
                Next::GiveUp(letter) => self.dead.push(*letter),
            }),
            // Its guard is asked again, and a payload that was left out put in, as of any work that waited.
            RETRY_REQUESTED => retry::of_request(&event).map(|retry| self.retries.push(retry)),
            DEAD_LETTERED => {
                self.letters.push(event);
                return;
            }
            _ => return,
        };
        if let Err(why) = followed {
            self.dead.push(retry::of_nothing(&event, &why));
        }
    }
}

const FAILED: &str = "work.failed";
const RETRY_REQUESTED: &str = "work.retry_requested";

/// Whether the router acts on events of this type by itself, without a route.
fn is_own(event_type: &str) -> bool {
    [FAILED, RETRY_REQUESTED, DEAD_LETTERED].contains(&event_type)
}

fn is_asked(plan: &Plan, route: usize) -> bool {
    plan.routes.get(route).is_some_and(|route| route.trouble.is_none() && route.asks())
}

fn first_attempt(event: &Event, work_type: &str, max_attempts: u32, now: Timestamp) -> Work {
    Work {
        id: ids::work_id(event.id, work_type, 1),
        tenant_id: event.tenant_id.clone(),
        subject: event.subject.clone(),
        subject_id: event.subject_id.clone(),
        work_type: work_type.to_owned(),
        correlation_id: event.correlation_id,
        triggered_by_event_id: event.id,
        attempt: 1,
        max_attempts,
        created_at: now,
        not_before: None,
        last_error: None,
        traceparent: event.headers.get(headers::TRACEPARENT).cloned(),
        payload: RawValue::to_owned(&event.payload),
    }
}

fn read<'a>(record: &'a OwnedMessage, plan: &'a Plan) -> Result<Taken<'a>, String> {
    let value = record.payload().ok_or("the value is null")?;
    let value = std::str::from_utf8(value).map_err(|error| error.to_string())?;
    let event = Event::parse(value.as_bytes()).map_err(|error| error.to_string())?;
    // Work that routes on dead letters make is given up in silence: told of that, they might fail again, without end.
    let is_silent =
        event.event_type == DEAD_LETTERED && letter_of(&event).is_some_and(|work_type| plan.is_of_letters(&work_type));
    let routes = if is_silent { &[] } else { plan.of_event(&event.event_type) };
    Ok(Taken { value, event, routes })
}

/// The type of the work that a `work.dead_lettered` gives up, as far as it tells.
fn letter_of(event: &Event) -> Option<String> {
    #[derive(Deserialize)]
    struct Letter {
        work_message: Given,
    }
    #[derive(Deserialize)]
    struct Given {
        work_type: String,
    }
    serde_json::from_str::<Letter>(event.payload.get()).ok().map(|letter| letter.work_message.work_type)
}

/// The materializer parks it, with its error.
fn pass_over(record: &OwnedMessage, why: &str) {
    let (topic, partition, offset) = (record.topic(), record.partition(), record.offset());
    tracing::warn!(topic, partition, offset, "a record that is no event is passed over: {why}");
}

fn header<'m>(record: &'m OwnedMessage, name: &str) -> Option<&'m str> {
    let found = record.headers()?.iter().find(|header| header.key == name)?;
    // A marker's value does not matter.
    Some(found.value.and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default())
}
