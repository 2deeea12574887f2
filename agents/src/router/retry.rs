//! What becomes of work that failed: when it is tried again, and when no more.

use std::time::Duration;

use jiff::Timestamp;
use lifestream_envelope::event::Event;
use lifestream_envelope::ids;
use lifestream_envelope::settings::RetrySettings;
use lifestream_envelope::work::Work;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::letters::{DeadLetter, ROUTER};

/// The longest that a server's Retry-After is honoured: as long as the work topics keep what is in them.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// Of an error that is as long as a page only the beginning goes along with the work.
const ERROR_CHARACTERS: usize = 2_000;

/// The payload of `work.failed`, as far as it is needed here. Any agent may write one: what is not as it should be is as
/// good as not there, so that the work is not lost with it.
#[derive(Deserialize)]
struct Failed<'a> {
    #[serde(borrow)]
    work_message: &'a RawValue,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    agent: Value,
    #[serde(default)]
    permanent: Value,
    #[serde(default)]
    not_before: Value,
}

/// The payload of `work.retry_requested`, as far as it is needed here.
#[derive(Deserialize)]
struct Requested<'a> {
    #[serde(borrow)]
    work_message: &'a RawValue,
    #[serde(default)]
    agent: Value,
}

/// An attempt that comes later.
#[derive(Debug)]
pub struct Retry {
    /// The work, with its `not_before`.
    pub work: Work,
    /// The group that wants it, which is the one that failed; empty where nobody says.
    pub group: String,
    /// The event that asks for it.
    pub cause: Uuid,
}

/// What comes of a failure.
#[derive(Debug)]
pub enum Next {
    /// The next attempt.
    Retry(Box<Retry>),
    /// No more.
    GiveUp(Box<DeadLetter>),
}

/// Decides about a `work.failed`. `backoff` is the wait before the second attempt that the work type's route asks for.
///
/// # Errors
/// In words: nothing can be tried again.
pub fn of_failure(
    event: &Event,
    settings: &RetrySettings,
    backoff: impl Fn(&str) -> Option<Duration>,
) -> Result<Next, String> {
    let failed: Failed<'_> = serde_json::from_str(event.payload.get()).map_err(|error| error.to_string())?;
    let mut work = message(failed.work_message, event)?;
    let error = match failed.error {
        Value::String(error) if !error.trim().is_empty() => error,
        Value::String(_) | Value::Null => "no error given".to_owned(),
        other => other.to_string(),
    };
    if failed.permanent == true || work.attempt >= work.max_attempts {
        let agent = failed.agent.as_str().unwrap_or(&event.source).to_owned();
        return Ok(Next::GiveUp(Box::new(DeadLetter::of_work(work, error, agent, event.occurred_at, event.id))));
    }
    // Counted from when the database was told, by its clock, as the dispatcher's is too.
    let told = event.received_at;
    let base = backoff(&work.work_type).unwrap_or(settings.base);
    advance(&mut work, 0, told);
    let due = later(told, wait(base, settings, work.attempt - 1, work.id));
    let asked = failed.not_before.as_str().and_then(|asked| asked.parse::<Timestamp>().ok());
    let asked = asked.map(|asked| asked.min(later(told, LONGEST)));
    work.not_before = Some(asked.map_or(due, |asked| asked.max(due)));
    work.last_error = Some(error.chars().take(ERROR_CHARACTERS).collect());
    Ok(Next::Retry(Box::new(Retry { work, group: group(&failed.agent), cause: event.id })))
}

/// The next attempt of work that somebody wants done after all: it goes on counting, with three more attempts.
///
/// # Errors
/// In words: there is no work to do.
pub fn of_request(event: &Event) -> Result<Retry, String> {
    let requested: Requested<'_> = serde_json::from_str(event.payload.get()).map_err(|error| error.to_string())?;
    let mut work = message(requested.work_message, event)?;
    advance(&mut work, 3, event.received_at);
    work.not_before = None;
    Ok(Retry { work, group: group(&requested.agent), cause: event.id })
}

/// The router is no group that does work: what it has given up is everybody's.
fn group(agent: &Value) -> String {
    agent.as_str().filter(|agent| *agent != ROUTER).unwrap_or_default().to_owned()
}

/// What becomes of an event that holds no work, for the reason given: a person sees it.
pub fn of_nothing(event: &Event, why: &str) -> DeadLetter {
    let held: Result<Requested<'_>, _> = serde_json::from_str(event.payload.get());
    DeadLetter::of_event(event, held.map_or(event.payload.get(), |held| held.work_message.get()), why)
}

/// The work that an event tells of. It must be about what the event is about: whoever may emit for one tenant or subject
/// shall not have work done in another's name.
fn message(raw: &RawValue, event: &Event) -> Result<Work, String> {
    let work = Work::parse(raw.get().as_bytes()).map_err(|error| error.to_string())?;
    if !is_work_type(&work.work_type) {
        return Err(format!("not a work message: work_type {:?} names no topic", work.work_type));
    }
    if (&work.tenant_id, &work.subject_id) != (&event.tenant_id, &event.subject_id) {
        return Err(format!("its work is about subject {:?} of tenant {:?}", work.subject_id, work.tenant_id));
    }
    Ok(work)
}

/// As `lifestream.routes` has it.
fn is_work_type(name: &str) -> bool {
    let fits = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || b"._-".contains(&octet);
    (1..=200).contains(&name.len()) && name.bytes().all(fits) && name != "dead_letter"
}

fn advance(work: &mut Work, more: u32, now: Timestamp) {
    work.attempt = work.attempt.saturating_add(1);
    work.max_attempts = work.max_attempts.saturating_add(more);
    work.id = ids::work_id(work.triggered_by_event_id, &work.work_type, work.attempt);
    work.created_at = now;
}

/// Exponential, capped, then up to a fifth longer or shorter. The jitter is derived from the id of the next attempt: as
/// spread as a random one, and the same whoever computes it again.
fn wait(base: Duration, settings: &RetrySettings, failures: u32, next: Uuid) -> Duration {
    let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
    let grown = base.as_secs_f64() * settings.factor.max(1.0).powi(exponent);
    let cap = settings.cap.max(base).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a fraction of 0 to 1, to a millionth")]
    let fraction = (next.as_u128() % 1_000_001) as f64 / 1_000_000.0;
    Duration::try_from_secs_f64(grown.min(cap) * (0.8 + 0.4 * fraction)).unwrap_or(settings.cap)
}

fn later(from: Timestamp, wait: Duration) -> Timestamp {
    jiff::SignedDuration::try_from(wait).ok().and_then(|wait| from.checked_add(wait).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::letters::Message;
    use super::*;

    const SETTINGS: RetrySettings =
        RetrySettings { base: Duration::from_secs(10), factor: 6.0, cap: Duration::from_secs(3600) };

    fn failed(attempt: u32, more: &str) -> Event {
        let trigger = "01890a5d-ac96-774b-bcce-b302099a8058";
        let payload = format!(
            r#"{{"work_message":{{"id":"{}","subject_id":"s","work_type":"fetch_link","correlation_id":null,
            "triggered_by_event_id":"{trigger}","attempt":{attempt},"max_attempts":3,"created_at":"2026-01-01T00:00:00Z",
            "not_before":null,"last_error":null,"payload":{{"n":1.10}}}},"error":"away","agent":"fetcher"{more}}}"#,
            ids::work_id(trigger.parse().unwrap(), "fetch_link", attempt)
        );
        let event = format!(
            r#"{{"id":"01890a5d-ac96-774b-bcce-b302099a8057","seq":1,"occurred_at":"2026-01-01T00:00:00Z",
            "received_at":"2026-01-01T00:00:00Z","source":"s","subject":"work","subject_id":"s","event_type":"work.failed",
            "payload":{payload},"schema_version":1,"correlation_id":null,"causation_id":null,"tenant_id":"","headers":{{}}}}"#
        );
        Event::parse(event.as_bytes()).unwrap()
    }

    fn retry(event: &Event, backoff: Option<Duration>) -> Work {
        match of_failure(event, &SETTINGS, |_| backoff).unwrap() {
            Next::Retry(retry) => retry.work,
            Next::GiveUp(letter) => panic!("{letter:?}"),
        }
    }

    fn seconds(work: &Work) -> f64 {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        work.not_before.unwrap().duration_since(start).as_secs_f64()
    }

    #[test]
    fn the_next_attempt_comes_after_a_wait_that_grows() {
        for (attempt, least, most) in [(1, 8.0, 12.0), (2, 48.0, 72.0)] {
            let work = retry(&failed(attempt, ""), None);
            assert!((least..=most).contains(&seconds(&work)), "{}", seconds(&work));
            let id = ids::work_id(work.triggered_by_event_id, "fetch_link", attempt + 1);
            assert_eq!((work.attempt, work.id, work.last_error.as_deref()), (attempt + 1, id, Some("away")));
            assert_eq!(work.payload.get(), r#"{"n":1.10}"#);
        }
        let own = retry(&failed(1, ""), Some(Duration::from_secs(100)));
        assert!((80.0..=120.0).contains(&seconds(&own)), "{}", seconds(&own));
    }

    #[test]
    fn the_wait_is_capped_and_spread() {
        let ids: Vec<Uuid> = (0..200).map(|number| ids::work_id(Uuid::nil(), "t", number)).collect();
        let waits: Vec<f64> = ids.iter().map(|id| wait(SETTINGS.base, &SETTINGS, 90, *id).as_secs_f64()).collect();
        let (least, most) = (waits.iter().copied().fold(f64::MAX, f64::min), waits.iter().copied().fold(0.0, f64::max));
        assert!((2880.0..3000.0).contains(&least) && most > 4200.0 && most <= 4320.0, "{least} to {most}");
        let endless = RetrySettings { factor: f64::MAX, ..SETTINGS };
        assert!(wait(SETTINGS.base, &endless, u32::MAX, Uuid::nil()) <= Duration::from_secs(4320));
    }

    #[test]
    fn what_the_other_side_asked_for_is_honoured_where_it_is_later() {
        let after = |not_before: &str| seconds(&retry(&failed(1, &format!(r#","not_before":{not_before}"#)), None));
        assert!((after(r#""2026-01-01T01:00:00Z""#) - 3600.0).abs() < 0.001);
        for earlier in ["null", r#""2025-01-01T00:00:00Z""#, r#""soon""#, "17"] {
            assert!((8.0..=12.0).contains(&after(earlier)));
        }
        assert!((after(r#""9999-01-01T00:00:00Z""#) - 7.0 * 86400.0).abs() < 0.001);
    }

    #[test]
    fn permanent_or_tried_often_enough_it_is_a_dead_letter() {
        for event in [failed(1, r#","permanent":true"#), failed(3, ""), failed(4, r#","permanent":null"#)] {
            let Next::GiveUp(letter) = of_failure(&event, &SETTINGS, |_| None).unwrap() else { panic!("tried again") };
            let Message::Work(work) = letter.message else { panic!("{letter:?}") };
            assert_eq!((letter.id, letter.agent.as_str()), (ids::dead_letter_id("fetcher", work.id), "fetcher"));
            assert_eq!((letter.error.as_str(), letter.causation_id), ("away", event.id));
        }
    }

    #[test]
    fn what_an_agent_says_amiss_loses_no_work() {
        let mut event = failed(1, r#","permanent":"no","not_before":[]"#);
        let odd =
            event.payload.get().replace(r#""error":"away""#, r#""error":{"code":7}"#).replace(r#""fetcher""#, "7");
        event.payload = RawValue::from_string(odd).unwrap();
        assert_eq!(retry(&event, None).last_error.as_deref(), Some(r#"{"code":7}"#));
    }

    #[test]
    fn a_request_goes_on_counting() {
        let Retry { work, group, cause } = of_request(&failed(3, "")).unwrap();
        assert_eq!((group.as_str(), cause), ("fetcher", failed(3, "").id));
        assert_eq!((work.attempt, work.max_attempts, work.not_before), (4, 6, None));
        assert_eq!(work.id, ids::work_id(work.triggered_by_event_id, "fetch_link", 4));
    }

    #[test]
    fn what_holds_no_work_is_an_error_in_words() {
        let event = |find: &str, replace: &str| {
            let mut event = failed(1, "");
            event.payload = RawValue::from_string(event.payload.get().replace(find, replace)).unwrap();
            event
        };
        for (find, replace, expected) in [
            ("work_message", "message", "work_message"),
            ("\"fetch_link\"", "\"dead_letter\"", "names no topic"),
            ("\"fetch_link\"", "\"../x\"", "names no topic"),
            ("\"attempt\":1", "\"attempt\":0", "attempt 0"),
            ("\"subject_id\":\"s\"", "\"subject_id\":\"t\"", "subject \"t\" of tenant \"\""),
            ("\"subject_id\":\"s\"", "\"tenant_id\":\"x\",\"subject_id\":\"s\"", "subject \"s\" of tenant \"x\""),
        ] {
            let error = of_failure(&event(find, replace), &SETTINGS, |_| None).map(|_| ()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        assert!(of_request(&event("work_message", "message")).is_err());
    }
}
