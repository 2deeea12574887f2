//! A work message: a task for an agent, on the topic `work.<work type>`, keyed by subject.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rdkafka::message::{Header, OwnedHeaders};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{headers, topics};

/// The only name in a payload that was left out.
const OMITTED: &str = "lifestream_payload_omitted";

/// The value of a record on a work topic. What it does not know is passed over: later versions may say more.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Work {
    /// Names this attempt: [`crate::ids::work_id`].
    pub id: Uuid,
    /// Whose it is; empty where there is only one tenant.
    #[serde(default)]
    pub tenant_id: String,
    /// The kind of thing that it is about: the triggering event's `subject`.
    #[serde(default)]
    pub subject: String,
    /// The thing that it is about, and the record's key.
    pub subject_id: String,
    /// What is to be done, which names the topic as well.
    pub work_type: String,
    /// What belongs together.
    pub correlation_id: Option<Uuid>,
    /// The event that asked for it.
    pub triggered_by_event_id: Uuid,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// After so many failed attempts it is a dead letter.
    pub max_attempts: u32,
    /// When the router made this message.
    pub created_at: Timestamp,
    /// When it was due, where it had to wait; the router sends none earlier.
    pub not_before: Option<Timestamp>,
    /// Why the attempt before this one failed.
    pub last_error: Option<String>,
    /// W3C trace context of the triggering event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// A JSON object: the event's payload, unless the route maps it.
    pub payload: Box<RawValue>,
}

/// Why a record's value is no work message.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// Not JSON, or a field is missing or of another type.
    #[error("not a work message: {0}")]
    Json(#[from] serde_json::Error),
    /// `payload` is JSON, but no object.
    #[error("not a work message: payload is not an object")]
    Payload,
    /// Attempts are counted from 1.
    #[error("not a work message: attempt {attempt} of {max_attempts}")]
    Attempt {
        /// As given.
        attempt: u32,
        /// As given.
        max_attempts: u32,
    },
}

impl Work {
    /// Reads a record's value.
    ///
    /// # Errors
    /// Names what is wrong with it.
    pub fn parse(value: &[u8]) -> Result<Self, WorkError> {
        let work: Self = serde_json::from_slice(value)?;
        if !work.payload.get().starts_with('{') {
            return Err(WorkError::Payload);
        }
        if work.attempt == 0 || work.max_attempts == 0 {
            return Err(WorkError::Attempt { attempt: work.attempt, max_attempts: work.max_attempts });
        }
        Ok(work)
    }

    /// The record's value.
    ///
    /// # Errors
    /// None in practice: every field has a JSON form.
    pub fn value(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// The record's headers.
    pub fn kafka_headers(&self) -> OwnedHeaders {
        let (id, attempt) = (self.id.to_string(), self.attempt.to_string());
        let mut list = OwnedHeaders::new_with_capacity(5)
            .insert(Header { key: headers::WORK_TYPE, value: Some(&self.work_type) })
            .insert(Header { key: headers::WORK_ID, value: Some(&id) })
            .insert(Header { key: headers::ATTEMPT, value: Some(&attempt) });
        if let Some(correlation) = self.correlation_id {
            let correlation = correlation.to_string();
            list = list.insert(Header { key: headers::CORRELATION_ID, value: Some(&correlation) });
        }
        if let Some(traceparent) = &self.traceparent {
            list = list.insert(Header { key: headers::TRACEPARENT, value: Some(traceparent) });
        }
        list
    }

    /// Leaves the payload out, where it would make the message too large or is not known yet. The router puts it in again
    /// before it sends the work: from the triggering event, by the route's map where there is one.
    pub fn omit_payload(&mut self) {
        // A JSON text that is always well formed.
        if let Ok(omitted) = RawValue::from_string(format!(r#"{{"{OMITTED}":true}}"#)) {
            self.payload = omitted;
        }
    }

    /// Whether the payload was left out.
    pub fn is_omitted(&self) -> bool {
        let payload: Result<BTreeMap<String, serde::de::IgnoredAny>, _> = serde_json::from_str(self.payload.get());
        payload.is_ok_and(|payload| payload.len() == 1 && payload.contains_key(OMITTED))
    }

    /// The topic of a work type, before the prefix is put to it.
    pub fn topic(work_type: &str) -> String {
        format!("{}{work_type}", topics::WORK_PREFIX)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const WHOLE: &str = r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","subject_id":"s","work_type":"fetch_link",
        "correlation_id":null,"triggered_by_event_id":"01890a5d-ac96-774b-bcce-b302099a8058","attempt":1,"max_attempts":3,
        "created_at":"2026-01-01T00:00:00Z","not_before":null,"last_error":null,"payload":{"n":1.10},"later":true}"#;

    #[test]
    fn a_message_comes_back_as_it_was_with_every_digit() {
        let work = Work::parse(WHOLE.as_bytes()).unwrap();
        let again = Work::parse(&work.value().unwrap()).unwrap();
        assert_eq!(again.payload.get(), r#"{"n":1.10}"#);
        assert_eq!((again.id, again.attempt, again.tenant_id.as_str()), (work.id, 1, ""));
    }

    #[test]
    fn a_payload_that_was_left_out_is_seen_however_it_is_written() {
        let mut work = Work::parse(WHOLE.as_bytes()).unwrap();
        assert!(!work.is_omitted());
        work.omit_payload();
        assert!(work.is_omitted());
        work.payload = RawValue::from_string(r#"{ "lifestream_payload_omitted": true }"#.to_owned()).unwrap();
        assert!(work.is_omitted());
        work.payload = RawValue::from_string(r#"{"lifestream_payload_omitted":true,"url":"x"}"#.to_owned()).unwrap();
        assert!(!work.is_omitted());
    }

    #[test]
    fn what_is_no_work_message_is_an_error_that_names_the_trouble() {
        for (find, replace, expected) in [
            ("\"work_type\":\"fetch_link\",", "", "work_type"),
            ("{\"n\":1.10}", "[]", "payload is not an object"),
            ("\"attempt\":1", "\"attempt\":0", "attempt 0 of 3"),
            ("\"attempt\":1", "\"attempt\":-1", "integer `-1`"),
            ("01890a5d-ac96-774b-bcce-b302099a8057", "x", "UUID"),
        ] {
            let error = Work::parse(WHOLE.replace(find, replace).as_bytes()).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains("not a work message") && error.contains(expected), "{error}");
        }
        for value in [&b""[..], b"null", b"\xff\xfe", b"{", b"1"] {
            assert!(Work::parse(value).is_err());
        }
    }
}
