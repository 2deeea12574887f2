//! What is refused of an event, once, for every way in: all that Kafka or a later part could not carry.

use pgrx::{direct_function_call, pg_sys};

use crate::error::Refusal;
use crate::jsonb::Value;
use crate::row::{Column, NAMES, Row};
use crate::{guc, text};

/// Octets of source, subject, event_type and tenant_id.
const NAME_OCTETS: usize = 255;
/// Octets of subject_id, which is Kafka's key.
const SUBJECT_ID_OCTETS: usize = 1024;
/// Octets of all header names and values of one event.
const HEADERS_OCTETS: usize = 16 * 1024;
/// 0001-01-01 and 10000-01-01, both UTC, in microseconds from 2000-01-01.
const FIRST_US: i64 = -63_082_281_600_000_000;
const END_US: i64 = 252_455_616_000_000_000;

/// Checks a filled row. A restored one may be larger than what is allowed now.
pub fn row(row: &Row, restored: bool) -> Result<(), Refusal> {
    let mut octets = 0;
    for column in [Column::EventType, Column::Subject, Column::SubjectId, Column::Source] {
        octets += name(row, column)?.len();
    }
    octets += short(row, Column::TenantId)?.len();
    timestamp(row, Column::OccurredAt)?;
    timestamp(row, Column::ReceivedAt)?;
    if let Some(version) = row.get(Column::SchemaVersion) {
        let value = version.value() as i32;
        if value < 1 {
            return Err(Refusal::SchemaVersion { value });
        }
    }
    let payload = object(row, Column::Payload)?;
    let headers = object(row, Column::Headers)?;
    self::headers(&headers)?;
    if restored { Ok(()) } else { size(row, octets, &[(Column::Payload, payload), (Column::Headers, headers)]) }
}

/// A text that every event has: neither NULL nor empty nor too long.
pub fn name<'r>(row: &'r Row, column: Column) -> Result<&'r [u8], Refusal> {
    let value = short(row, column)?;
    if value.is_empty() { Err(Refusal::Empty { column: NAMES[column as usize] }) } else { Ok(value) }
}

fn short<'r>(row: &'r Row, column: Column) -> Result<&'r [u8], Refusal> {
    let value = row.octets(column).unwrap_or_default();
    let limit = if matches!(column, Column::SubjectId) { SUBJECT_ID_OCTETS } else { NAME_OCTETS };
    if value.len() > limit {
        let column = NAMES[column as usize];
        return Err(Refusal::TooLong { column, octets: value.len(), limit, value: value.to_vec() });
    }
    Ok(value)
}

fn timestamp(row: &Row, column: Column) -> Result<(), Refusal> {
    let Some(datum) = row.get(column) else { return Ok(()) };
    if (FIRST_US..END_US).contains(&(datum.value() as i64)) {
        return Ok(());
    }
    // SAFETY: timestamptz_out takes a timestamptz and returns a C string.
    let value = unsafe {
        direct_function_call::<&std::ffi::CStr>(pg_sys::timestamptz_out, &[Some(datum)])
            .map(|shown| shown.to_string_lossy().into_owned())
    };
    Err(Refusal::Timestamp { column: NAMES[column as usize], value: value.unwrap_or_default() })
}

fn object<'r>(row: &'r Row, column: Column) -> Result<Value<'r>, Refusal> {
    let name = NAMES[column as usize];
    let Some(octets) = row.octets(column) else { return Err(Refusal::Empty { column: name }) };
    match Value::of(octets) {
        value @ Value::Object(_) => Ok(value),
        other => {
            Err(Refusal::NotAnObject { column: name, kind: other.kind(), value: printed(row.get(column)).into_bytes() })
        }
    }
}

/// Names, values and size of the headers.
fn headers(headers: &Value) -> Result<(), Refusal> {
    let Value::Object(object) = headers else { return Ok(()) };
    let mut octets = 0;
    for (name, value) in object.pairs() {
        let Value::Text(value) = value else {
            return Err(Refusal::HeaderNotText { name: name.to_vec(), kind: value.kind() });
        };
        if name.is_empty() {
            return Err(Refusal::HeaderUnnamed);
        }
        if reserved(name) {
            return Err(Refusal::HeaderReserved { name: name.to_vec() });
        }
        if name == b"traceparent" {
            traceparent("headers", value)?;
        }
        octets += name.len() + value.len();
    }
    if octets > HEADERS_OCTETS {
        return Err(Refusal::HeadersTooLarge { octets, limit: HEADERS_OCTETS });
    }
    Ok(())
}

/// Whatever its case: two headers that differ in case alone are one to many readers.
fn reserved(name: &[u8]) -> bool {
    let begins = |prefix: &[u8]| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    [&b"event_type"[..], b"source", b"event_id", b"correlation_id", b"content-type"]
        .iter()
        .any(|taken| name.eq_ignore_ascii_case(taken))
        || begins(b"ce_")
        || begins(b"lifestream_")
        || (name.eq_ignore_ascii_case(b"traceparent") && name != b"traceparent")
}

/// W3C Trace Context, version 00's four fields: lower-case hexadecimal, ids not all zero, version not ff.
pub fn traceparent(origin: &'static str, value: &[u8]) -> Result<(), Refusal> {
    let hex = |field: &[u8]| field.iter().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'));
    let some = |field: &[u8]| field.iter().any(|octet| *octet != b'0');
    let sound = value.len() == 55
        && [2, 35, 52].iter().all(|at| value[*at] == b'-')
        && [&value[..2], &value[3..35], &value[36..52], &value[53..]].iter().all(|field| hex(field))
        && &value[..2] != b"ff"
        && some(&value[3..35])
        && some(&value[36..52]);
    if sound { Ok(()) } else { Err(Refusal::Traceparent { origin, value: value.to_vec() }) }
}

/// `text_columns` are the octets of the text columns. Printing the JSON is left for events that may come near the limit.
fn size(row: &Row, text_columns: usize, json: &[(Column, Value)]) -> Result<(), Refusal> {
    let limit = guc::max_event_bytes();
    let bound = json.iter().try_fold(text_columns, |sum, (_, value)| sum.checked_add(value.text_bound(0)?));
    if bound.is_some_and(|bound| bound <= limit) {
        return Ok(());
    }
    let octets = text_columns + json.iter().map(|(column, _)| printed(row.get(*column)).len()).sum::<usize>();
    if octets > limit { Err(Refusal::TooLarge { octets, limit }) } else { Ok(()) }
}

/// A jsonb as text.
pub fn printed(jsonb: Option<pg_sys::Datum>) -> String {
    let Some(jsonb) = jsonb else { return String::new() };
    // SAFETY: jsonb_out takes a jsonb and returns a C string.
    unsafe {
        direct_function_call::<&std::ffi::CStr>(pg_sys::jsonb_out, &[Some(jsonb)])
            .map(|printed| printed.to_string_lossy().into_owned())
            .unwrap_or_default()
    }
}

/// A value inside a jsonb as text, for messages.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Text(value) => format!("\"{}\"", text::shown(value)),
        Value::Number(numeric) => number(numeric),
        Value::Array(container) | Value::Object(container) => printed(Some(text::datum(container.octets()))),
        Value::Unreadable => String::new(),
    }
}

/// A number inside a jsonb as text, exact.
pub fn number(numeric: &[u8]) -> String {
    let Some(digits) = numeric.get(pg_sys::VARHDRSZ..) else { return String::new() };
    let aligned = text::datum(digits);
    // SAFETY: what jsonb stores for a number is a numeric; it was copied to where it is aligned.
    unsafe {
        direct_function_call::<&std::ffi::CStr>(pg_sys::numeric_out, &[Some(aligned)])
            .map(|printed| printed.to_string_lossy().into_owned())
            .unwrap_or_default()
    }
}
