//! A record of `events.raw` as it came, and what it says.

use std::fmt::Write as _;

use jiff::Timestamp;
use lifestream_envelope::event::Event;
use lifestream_envelope::headers;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use uuid::Uuid;

/// A record and what it turned out to be.
pub struct Record<'a> {
    /// As it came; its bytes stay where librdkafka put them.
    pub message: BorrowedMessage<'a>,
    /// What it says.
    pub reading: Reading,
}

/// What a record says.
#[derive(Debug)]
pub enum Reading {
    /// The bridge's own: it only advances the offset.
    Marker,
    /// An event.
    Event(Facts),
    /// Not ours, or not whole.
    Malformed {
        /// What is wrong with it.
        error: String,
        /// The id in its headers, where that is one.
        event_id: Option<Uuid>,
        /// The subject that it belongs to: its key, if its headers say that it is an event of ours. A foreign record has none and holds nobody back.
        subject_id: Option<String>,
    },
}

/// What the materializer itself needs to know of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Names the event.
    pub id: Uuid,
    /// Emit order.
    pub seq: i64,
    /// What is held back if it parks: of this subject ...
    pub subject_id: String,
    /// ... and this tenant. Another tenant's events have no place in that order: were they in it, one tenant could hold up another.
    pub tenant_id: String,
    /// Which projections apply.
    pub event_type: String,
    /// When the database was told.
    pub received_at: Timestamp,
}

/// Events that stay in order: those of one subject, as far as one tenant tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The subject.
    pub subject_id: &'a str,
    /// Whose; `None`: a record's that cannot be read, which may be anybody's.
    pub tenant_id: Option<&'a str>,
}

impl Line<'_> {
    /// Whether one must wait for the other.
    pub fn meets(self, other: Line<'_>) -> bool {
        let anybody = self.tenant_id.is_none() || other.tenant_id.is_none();
        self.subject_id == other.subject_id && (anybody || self.tenant_id == other.tenant_id)
    }
}

impl Reading {
    /// Where it stands in order, if it has a subject.
    pub fn line(&self) -> Option<Line<'_>> {
        match self {
            Self::Marker => None,
            Self::Event(facts) => Some(Line { subject_id: &facts.subject_id, tenant_id: Some(&facts.tenant_id) }),
            Self::Malformed { subject_id, .. } => {
                subject_id.as_deref().map(|subject_id| Line { subject_id, tenant_id: None })
            }
        }
    }
}

impl<'a> Record<'a> {
    /// Reads a message.
    pub fn read(message: BorrowedMessage<'a>) -> Self {
        let event_id = header(&message, headers::EVENT_ID);
        let reading = if header(&message, headers::MARKER).is_some() {
            Reading::Marker
        } else {
            let has_type = header(&message, headers::EVENT_TYPE).is_some();
            read(message.key(), message.payload(), event_id, has_type)
        };
        Self { message, reading }
    }

    /// The value as text, for a record that was read as an event.
    pub fn value(&self) -> &str {
        self.message.payload().and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default()
    }

    /// The headers as JSON: an array of `[name, value]`, in order, repeats too.
    pub fn headers(&self) -> serde_json::Value {
        let Some(found) = self.message.headers() else { return serde_json::Value::Array(Vec::new()) };
        found
            .iter()
            .map(|header| {
                let value = match header.value.map(|value| (value, std::str::from_utf8(value))) {
                    None => serde_json::Value::Null,
                    // JSON text of PostgreSQL has no place for a zero character.
                    Some((_, Ok(text))) if !text.contains('\0') => text.into(),
                    Some((bytes, _)) => serde_json::json!({ "base64": base64(bytes) }),
                };
                serde_json::json!([header.key.replace('\0', "\u{fffd}"), value])
            })
            .collect()
    }
}

/// The value of the first header of that name; null counts as empty.
fn header<'m>(message: &'m BorrowedMessage<'_>, name: &str) -> Option<&'m [u8]> {
    message.headers()?.iter().find(|header| header.key == name).map(|header| header.value.unwrap_or_default())
}

/// Reads a record's key and value, its header `event_id`, and whether it has a header `event_type`.
pub fn read(key: Option<&[u8]>, value: Option<&[u8]>, header_id: Option<&[u8]>, has_type: bool) -> Reading {
    let header_id = header_id.map(|id| std::str::from_utf8(id).ok().and_then(|id| Uuid::try_parse(id).ok()));
    let malformed = |error: String| {
        let event_id = header_id.flatten();
        let key = key.and_then(|key| std::str::from_utf8(key).ok()).filter(|key| is_subject_id(key));
        let subject_id = event_id.and(key).map(str::to_owned);
        Reading::Malformed { error, event_id, subject_id }
    };
    let (Some(header_id), true) = (header_id, has_type) else {
        return malformed(format!("not an event: no header {} or {}", headers::EVENT_ID, headers::EVENT_TYPE));
    };
    let Some(header_id) = header_id else {
        return malformed(format!("not an event: header {} is no UUID", headers::EVENT_ID));
    };
    let Some(value) = value else { return malformed("not an event: the value is null".to_owned()) };
    let value = match std::str::from_utf8(value) {
        Ok(value) => value,
        Err(error) => return malformed(format!("not an event: the value is not UTF-8: {error}")),
    };
    let event = match Event::parse(value.as_bytes()) {
        Ok(event) => event,
        Err(error) => return malformed(error.to_string()),
    };
    if event.id != header_id {
        return malformed(format!(
            "not an event: header {} is {header_id}, the value's id {}",
            headers::EVENT_ID,
            event.id
        ));
    }
    if key != Some(event.subject_id.as_bytes()) {
        let key = String::from_utf8_lossy(key.unwrap_or_default()).into_owned();
        return malformed(format!("not an event: the key is {key:?}, the subject_id {:?}", event.subject_id));
    }
    let texts = [&event.subject_id, &event.event_type, &event.tenant_id];
    if !is_subject_id(&event.subject_id) || texts.iter().any(|text| text.contains('\0')) {
        return malformed(
            "not an event: subject_id is longer than any event's, or it, event_type or tenant_id has a zero character"
                .to_owned(),
        );
    }
    Reading::Event(Facts {
        id: event.id,
        seq: event.seq,
        subject_id: event.subject_id,
        tenant_id: event.tenant_id,
        event_type: event.event_type,
        received_at: event.received_at,
    })
}

/// As the extension admits them: up to 1024 octets, no zero character.
fn is_subject_id(text: &str) -> bool {
    text.len() <= 1024 && !text.contains('\0')
}

/// Bytes that are no text, for people: hexadecimal would do, base64 is what Kafka's tools show.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let _ = match place <= chunk.len() {
                true => write!(text, "{}", char::from(ALPHABET[(group >> (18 - 6 * place) & 63) as usize])),
                false => write!(text, "="),
            };
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn whole() -> String {
        format!(
            r#"{{"id":"{ID}","seq":7,"occurred_at":"2026-01-01T00:00:00Z","received_at":"2026-01-01T00:00:00Z","source":"s",
            "subject":"note","subject_id":"n-1","event_type":"note.created","payload":{{}},"schema_version":1,
            "correlation_id":null,"causation_id":null,"tenant_id":"","headers":{{}}}}"#
        )
    }

    #[test]
    fn a_whole_record_is_an_event() {
        let Reading::Event(facts) = read(Some(b"n-1"), Some(whole().as_bytes()), Some(ID.as_bytes()), true) else {
            panic!("no event")
        };
        assert_eq!((facts.seq, facts.subject_id.as_str(), facts.event_type.as_str()), (7, "n-1", "note.created"));
    }

    #[test]
    fn a_record_that_is_no_event_says_why_and_whom_it_holds_back() {
        let id = Some(ID.as_bytes());
        let value = whole();
        let value = Some(value.as_bytes());
        let other = b"01890a5d-ac96-774b-bcce-b302099a8058";
        type Bytes<'a> = Option<&'a [u8]>;
        /// Key, value, the event_id header, other headers of ours; a word of the reason, the subject held back.
        type Case<'a> = (Bytes<'a>, Bytes<'a>, Bytes<'a>, bool, &'a str, Option<&'a str>);
        let cases: [Case<'_>; 10] = [
            (Some(b"n-1"), value, None, false, "no header", None),
            (Some(b"n-1"), value, id, false, "no header", Some("n-1")),
            (Some(b"n-1"), value, Some(b"x"), true, "no UUID", None),
            (Some(b"n-1"), None, id, true, "null", Some("n-1")),
            (Some(b"n-1"), Some(b"\xff\xfe"), id, true, "UTF-8", Some("n-1")),
            (Some(b"n-1"), Some(b"{"), id, true, "not an event", Some("n-1")),
            (Some(b"n-1"), Some(b"[]"), id, true, "not an event", Some("n-1")),
            (Some(b"n-2"), value, id, true, "the key is \"n-2\"", Some("n-2")),
            (None, value, id, true, "the key is", None),
            (Some(b"n-1"), value, Some(other), true, "the value's id", Some("n-1")),
        ];
        for (key, value, header_id, has_type, expected, held) in cases {
            let Reading::Malformed { error, subject_id, .. } = read(key, value, header_id, has_type) else {
                panic!("{expected}: taken for an event")
            };
            assert!(error.contains(expected), "{error}");
            assert_eq!(subject_id.as_deref(), held, "{error}");
        }
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
