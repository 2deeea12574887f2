//! A row of `lifestream.events` on its way to Kafka: the hot path.

use std::borrow::Cow;
use std::fmt;

use rdkafka::message::{Header, OwnedHeaders};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{ce_source, rfc3339};
use crate::headers;

/// One event, borrowed from wherever it was read.
#[derive(Debug, Clone, Copy)]
pub struct EventRow<'a> {
    /// Names the event for ever.
    pub id: Uuid,
    /// Emit order.
    pub seq: i64,
    /// Microseconds since the Unix epoch.
    pub occurred_at_us: i64,
    /// Microseconds since the Unix epoch.
    pub received_at_us: i64,
    /// Who emitted it.
    pub source: &'a str,
    /// The kind of thing it is about.
    pub subject: &'a str,
    /// The thing it is about, and the record's key.
    pub subject_id: &'a str,
    /// What happened.
    pub event_type: &'a str,
    /// A JSON object, as text.
    pub payload: &'a str,
    /// Version of the payload's shape.
    pub schema_version: i32,
    /// What belongs together.
    pub correlation_id: Option<Uuid>,
    /// The event that caused it.
    pub causation_id: Option<Uuid>,
    /// Empty where there is only one tenant.
    pub tenant_id: &'a str,
    /// A JSON object of strings, as text.
    pub headers: &'a str,
}

impl EventRow<'_> {
    /// Appends the record's value: one flat JSON object with every column but the flag, in the order of the columns.
    ///
    /// Payload and headers go in as the text that they are, so that numbers keep every digit.
    pub fn write_value(&self, out: &mut Vec<u8>) {
        out.reserve(self.payload.len() + self.headers.len() + 512);
        out.extend_from_slice(b"{\"id\":");
        push_uuid(out, Some(self.id));
        out.extend_from_slice(b",\"seq\":");
        push_integer(out, self.seq);
        out.extend_from_slice(b",\"occurred_at\":\"");
        out.extend_from_slice(rfc3339(self.occurred_at_us).as_str().as_bytes());
        out.extend_from_slice(b"\",\"received_at\":\"");
        out.extend_from_slice(rfc3339(self.received_at_us).as_str().as_bytes());
        out.extend_from_slice(b"\",\"source\":");
        push_string(out, self.source);
        out.extend_from_slice(b",\"subject\":");
        push_string(out, self.subject);
        out.extend_from_slice(b",\"subject_id\":");
        push_string(out, self.subject_id);
        out.extend_from_slice(b",\"event_type\":");
        push_string(out, self.event_type);
        out.extend_from_slice(b",\"payload\":");
        out.extend_from_slice(self.payload.as_bytes());
        out.extend_from_slice(b",\"schema_version\":");
        push_integer(out, i64::from(self.schema_version));
        out.extend_from_slice(b",\"correlation_id\":");
        push_uuid(out, self.correlation_id);
        out.extend_from_slice(b",\"causation_id\":");
        push_uuid(out, self.causation_id);
        out.extend_from_slice(b",\"tenant_id\":");
        push_string(out, self.tenant_id);
        out.extend_from_slice(b",\"headers\":");
        out.extend_from_slice(self.headers.as_bytes());
        out.push(b'}');
    }

    /// The record's headers: ours, the event's own (a `traceparent` among them), and CloudEvents 1.0 in binary mode.
    pub fn kafka_headers(&self) -> OwnedHeaders {
        let mut buffer = Uuid::encode_buffer();
        let id: &str = self.id.hyphenated().encode_lower(&mut buffer);
        let mut list = List(Some(OwnedHeaders::new_with_capacity(16)));
        list.add(headers::EVENT_TYPE, self.event_type);
        list.add(headers::SOURCE, self.source);
        list.add(headers::EVENT_ID, id);
        if let Some(correlation) = self.correlation_id {
            let mut buffer = Uuid::encode_buffer();
            list.add(headers::CORRELATION_ID, correlation.hyphenated().encode_lower(&mut buffer));
        }
        if self.headers != "{}" {
            // The extension admits an object of strings only; what is nothing of the kind is left out rather than
            // stop the bridge.
            let _ = serde_json::Deserializer::from_str(self.headers).deserialize_map(&mut list);
        }
        list.add(headers::CE_SPECVERSION, "1.0");
        list.add(headers::CE_ID, id);
        list.add(headers::CE_TYPE, self.event_type);
        list.add(headers::CE_SOURCE, &ce_source(self.source));
        list.add(headers::CE_TIME, rfc3339(self.occurred_at_us).as_str());
        list.add(headers::CE_SUBJECT, self.subject_id);
        list.add(headers::CONTENT_TYPE, "application/json");
        list.0.unwrap_or_default()
    }
}

/// A list under way. librdkafka copies each key and value into it.
struct List(Option<OwnedHeaders>);

impl List {
    fn add(&mut self, key: &str, value: &str) {
        self.0 = self.0.take().map(|list| list.insert(Header { key, value: Some(value) }));
    }
}

/// A string that is copied only where it holds escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Adds the members of a JSON object, without building a map first.
impl<'de> Visitor<'de> for &mut List {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Text<'de>>()? {
            let raw: &RawValue = map.next_value()?;
            match serde_json::from_str::<Text<'_>>(raw.get()) {
                Ok(value) => self.add(&key.0, &value.0),
                Err(_) => self.add(&key.0, raw.get()),
            }
        }
        Ok(())
    }
}

fn push_uuid(out: &mut Vec<u8>, id: Option<Uuid>) {
    match id {
        Some(id) => {
            let mut buffer = Uuid::encode_buffer();
            out.push(b'"');
            out.extend_from_slice(id.hyphenated().encode_lower(&mut buffer).as_bytes());
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

fn push_integer(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes a JSON string (RFC 8259): quotes, backslashes and control characters are escaped, all else stays UTF-8.
fn push_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    let mut written = 0;
    out.push(b'"');
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[written..at]);
        written = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(control >> 4)]);
                out.push(HEX[usize::from(control & 0xf)]);
            }
        }
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests;
