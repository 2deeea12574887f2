//! An event as a consumer reads it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The value of a record on `events.raw`. What it does not know is passed over: later versions may say more.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Event {
    /// Names the event for ever.
    pub id: Uuid,
    /// Emit order.
    pub seq: i64,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When the database was told.
    pub received_at: Timestamp,
    /// Who emitted it.
    pub source: String,
    /// The kind of thing it is about.
    pub subject: String,
    /// The thing it is about.
    pub subject_id: String,
    /// What happened.
    pub event_type: String,
    /// A JSON object, as the text that stood in the record: numbers keep every digit.
    pub payload: Box<RawValue>,
    /// Version of the payload's shape.
    pub schema_version: i32,
    /// What belongs together.
    pub correlation_id: Option<Uuid>,
    /// The event that caused it.
    pub causation_id: Option<Uuid>,
    /// Empty where there is only one tenant.
    pub tenant_id: String,
    /// The event's own headers.
    pub headers: BTreeMap<String, String>,
}

/// Why a record's value is no event.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Not JSON, or a field is missing or of another type.
    #[error("not an event: {0}")]
    Json(#[from] serde_json::Error),
    /// `payload` is JSON, but no object.
    #[error("not an event: payload is not an object")]
    Payload,
}

impl Event {
    /// Reads a record's value.
    ///
    /// # Errors
    /// Names what is wrong with it, and where.
    pub fn parse(value: &[u8]) -> Result<Self, EventError> {
        let event: Self = serde_json::from_slice(value)?;
        // RawValue holds no leading whitespace.
        if event.payload.get().starts_with('{') { Ok(event) } else { Err(EventError::Payload) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_event_is_an_error_that_names_the_trouble() {
        let whole = r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","seq":1,"occurred_at":"2026-01-01T00:00:00Z",
            "received_at":"2026-01-01T00:00:00Z","source":"s","subject":"s","subject_id":"i","event_type":"t","payload":{},
            "schema_version":1,"correlation_id":null,"causation_id":null,"tenant_id":"","headers":{},"later":true}"#;
        assert!(Event::parse(whole.as_bytes()).is_ok());
        for (find, replace, expected) in [
            ("\"seq\":1,", "", "seq"),
            ("\"payload\":{}", "\"payload\": [1]", "payload is not an object"),
            ("\"headers\":{}", "\"headers\":{\"a\":1}", "expected a string"),
            ("2026-01-01T00:00:00Z", "yesterday", "datetime"),
            ("01890a5d-ac96-774b-bcce-b302099a8057", "x", "UUID"),
            ("{\"id\"", "[", "expected"),
        ] {
            let error = Event::parse(whole.replace(find, replace).as_bytes()).map(|_| ()).map_err(|e| e.to_string());
            let text = error.err().unwrap_or_default();
            assert!(text.contains(expected) || (expected == "datetime" && !text.is_empty()), "{find}: {text}");
        }
        for value in [&b""[..], b"null", b"\xff\xfe", b"{", b"1"] {
            assert!(Event::parse(value).is_err());
        }
    }
}
