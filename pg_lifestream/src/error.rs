//! Every refusal, and the one place that gives it an SQLSTATE, a detail and a hint.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};

use crate::id::{self, Id};
use crate::text::shown;

/// Why an event, a call or a change is refused.
pub enum Refusal {
    /// A required text or payload is NULL or empty.
    Empty { column: &'static str },
    /// A text column is longer than Kafka's side of the contract allows.
    TooLong { column: &'static str, octets: usize, limit: usize, value: Vec<u8> },
    /// The payload, or the headers, are JSON but no object.
    NotAnObject { column: &'static str, kind: &'static str, value: Vec<u8> },
    /// A header's value is no string.
    HeaderNotText { name: Vec<u8>, kind: &'static str },
    /// A header's name is empty.
    HeaderUnnamed,
    /// A header's name belongs to the envelope.
    HeaderReserved { name: Vec<u8> },
    /// All header names and values together are too large.
    HeadersTooLarge { octets: usize, limit: usize },
    /// `traceparent`, from the headers or the setting, has not the W3C shape.
    Traceparent { origin: &'static str, value: Vec<u8> },
    /// `schema_version` below 1.
    SchemaVersion { value: i32 },
    /// A timestamp that RFC 3339 cannot write.
    Timestamp { column: &'static str, value: String },
    /// The event is larger than `lifestream.max_event_bytes`.
    TooLarge { octets: usize, limit: usize },
    /// A session default that must be a uuid is none.
    SettingNotUuid { setting: &'static str, value: Vec<u8> },
    /// A client gives `seq`.
    SeqGiven { seq: i64 },
    /// A client sets the flag.
    FlagGiven,
    /// The id is another event's.
    IdTaken { id: Id, event_type: Vec<u8>, subject_id: Vec<u8> },
    /// The id is that of an archived event.
    IdArchived { id: Id },
    /// `expected_version` is not what the subject has.
    VersionUnmet { subject_id: Vec<u8>, expected: i64, actual: i64, or_more: bool },
    /// `expected_version` below 0.
    VersionNegative { value: i64 },
    /// UPDATE, DELETE or TRUNCATE of events.
    AppendOnly { what: &'static str },
    /// A trigger function was called for something else than it is for.
    NotOurTrigger { function: &'static str },
    /// The table has other columns than the extension's.
    ForeignShape { detail: String },
    /// `emit_events` got something else than an array.
    NotAnArray { kind: &'static str, value: Vec<u8> },
    /// An element of `emit_events`' array has a name that no event has.
    UnknownKey { key: Vec<u8> },
    /// An element of `emit_events`' array has a value of another type.
    WrongType { key: &'static str, wanted: &'static str, value: Vec<u8> },
    /// What is wrong with one element of `emit_events`' array; the number counts from 1.
    Element { number: usize, refusal: Box<Refusal> },
    /// A URL that names no link.
    Url { value: Vec<u8>, problem: String },
}

struct Words {
    code: PgSqlErrorCode,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
}

impl Refusal {
    /// Raises the SQL error.
    pub fn raise(self) -> ! {
        let Words { code, message, detail, hint } = self.words();
        let mut report = ErrorReport::new(code, message, "pg_lifestream");
        if let Some(detail) = detail {
            report = report.set_detail(detail);
        }
        if let Some(hint) = hint {
            report = report.set_hint(hint);
        }
        report.report(PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }

    fn words(self) -> Words {
        use PgSqlErrorCode::*;
        let words = |code, message: String, detail: Option<String>, hint: &str| Words {
            code,
            message,
            detail,
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
        };
        match self {
            Self::Empty { column } => words(
                ERRCODE_INVALID_PARAMETER_VALUE,
                format!("{column} must not be empty"),
                None,
                match column {
                    "source" => "Leave it out for the session's own.",
                    "headers" => "Leave them out.",
                    _ => "event_type, subject, subject_id and payload are needed by every event.",
                },
            ),
            Self::TooLong { column, octets, limit, value } => words(
                ERRCODE_INVALID_PARAMETER_VALUE,
                format!("{column} is too long"),
                Some(format!("It has {octets} octets, {limit} are allowed: {}", shown(&value))),
                "Put long values into the payload.",
            ),
            Self::NotAnObject { column, kind, value } => words(
                ERRCODE_INVALID_PARAMETER_VALUE,
                format!("{column} must be a JSON object, not {kind}"),
                Some(format!("It is {}", shown(&value))),
                "Wrap it: {\"value\": ...}",
            ),
            Self::HeaderNotText { name, kind } => words(
                ERRCODE_INVALID_PARAMETER_VALUE,
                "the value of a header must be a string".into(),
                Some(format!("Header \"{}\" has {kind}.", shown(&name))),
                "Headers become Kafka headers; structured values belong into the payload.",
            ),
            Self::HeaderUnnamed => words(
                ERRCODE_INVALID_PARAMETER_VALUE,
                "a header must have a name".into(),
                Some("The headers have an empty key.".into()),
                "Headers are an object of names and strings.",
            ),
            Self::HeaderReserved { name } => words(
                ERRCODE_INVALID_PARAMETER_VALUE,
                format!("header name \"{}\" is reserved", shown(&name)),
                None,
                "event_type, source, event_id, correlation_id, content-type, ce_... and lifestream_... are written by the bridge, from the columns.",
            ),
            Self::HeadersTooLarge { octets, limit } => words(
                ERRCODE_INVALID_PARAMETER_VALUE,
                "headers are too large".into(),
                Some(format!("Names and values have {octets} octets, {limit} are allowed.")),
                "Put large values into the payload.",
            ),
            Self::Traceparent { origin, value } => words(
                ERRCODE_INVALID_PARAMETER_VALUE,
                format!("invalid traceparent in {origin}"),
                Some(format!("It is \"{}\".", shown(&value))),
                "W3C Trace Context: 00-<32 lower-case hex digits>-<16>-<2>, ids not all zero.",
            ),
            Self::SchemaVersion { value } => words(
                ERRCODE_INVALID_PARAMETER_VALUE,
                "schema_version must be at least 1".into(),
                Some(format!("It is {value}.")),
                "",
            ),
            Self::Timestamp { column, value } => words(
                ERRCODE_DATETIME_FIELD_OVERFLOW,
                format!("{column} is out of range"),
                Some(format!("It is {value}.")),
                "Events carry RFC 3339 timestamps: the years 0001 to 9999.",
            ),
            Self::TooLarge { octets, limit } => words(
                ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                "event is too large".into(),
                Some(format!(
                    "Payload, headers and text columns have {octets} octets, lifestream.max_event_bytes is {limit}."
                )),
                "Store large contents elsewhere and emit a reference to them.",
            ),
            Self::SettingNotUuid { setting, value } => words(
                ERRCODE_INVALID_PARAMETER_VALUE,
                format!("{setting} is no uuid"),
                Some(format!("It is \"{}\".", shown(&value))),
                "SET it to a uuid, or RESET it.",
            ),
            Self::SeqGiven { seq } => words(
                ERRCODE_GENERATED_ALWAYS,
                "seq cannot be given".into(),
                Some(format!("Number {seq} was not drawn for this row: a row with it could be missed by the bridge.")),
                "Leave seq out (COPY with a column list). A dump can be restored as long as no bridge has worked on this database. An expression of an INSERT that emits an event itself must be evaluated before it.",
            ),
            Self::FlagGiven => words(
                ERRCODE_GENERATED_ALWAYS,
                "published_to_kafka cannot be given".into(),
                Some("An event that starts as published would never reach Kafka.".into()),
                "Leave published_to_kafka out: the bridge sets it.",
            ),
            Self::IdTaken { id, event_type, subject_id } => words(
                ERRCODE_UNIQUE_VIOLATION,
                format!("event id {} belongs to another event", id::shown(&id)),
                Some(format!("That event is \"{}\" of \"{}\".", shown(&event_type), shown(&subject_id))),
                "An id may be emitted again only with its event_type and subject_id.",
            ),
            Self::IdArchived { id } => words(
                ERRCODE_UNIQUE_VIOLATION,
                format!("event id {} is taken", id::shown(&id)),
                Some("Its event is in lifestream.events_archive.".into()),
                "emit_event answers a repeat of the same event with its id.",
            ),
            Self::VersionUnmet { subject_id, expected, actual, or_more } => words(
                ERRCODE_T_R_SERIALIZATION_FAILURE,
                format!("unexpected version of \"{}\"", shown(&subject_id)),
                Some(format!(
                    "expected_version is {expected}, actual version is {actual}{}.",
                    if or_more { " or more" } else { "" }
                )),
                "Read the subject's events again and retry.",
            ),
            Self::VersionNegative { value } => words(
                ERRCODE_INVALID_PARAMETER_VALUE,
                "expected_version must not be negative".into(),
                Some(format!("It is {value}.")),
                "It is the number of events that the subject has so far; 0: none.",
            ),
            Self::AppendOnly { what } => words(
                ERRCODE_FEATURE_NOT_SUPPORTED,
                format!("{what} of lifestream.events is refused: events are append-only"),
                None,
                "Emit an event that corrects or withdraws the earlier one.",
            ),
            Self::NotOurTrigger { function } => words(
                ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                format!("{function} is a trigger function of lifestream.events only"),
                None,
                "",
            ),
            Self::ForeignShape { detail } => words(
                ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "lifestream.events has not the columns that this library knows".into(),
                Some(detail),
                "Run ALTER EXTENSION pg_lifestream UPDATE.",
            ),
            Self::NotAnArray { kind, value } => words(
                ERRCODE_INVALID_PARAMETER_VALUE,
                format!("events must be a JSON array, not {kind}"),
                Some(format!("It is {}", shown(&value))),
                "emit_events('[{\"event_type\": ..., \"subject\": ..., \"subject_id\": ..., \"payload\": {...}}, ...]')",
            ),
            Self::UnknownKey { key } => words(
                ERRCODE_INVALID_PARAMETER_VALUE,
                format!("unknown key \"{}\"", shown(&key)),
                None,
                "Keys are the argument names of emit_event.",
            ),
            Self::WrongType { key, wanted, value } => words(
                ERRCODE_INVALID_PARAMETER_VALUE,
                format!("{key} must be {wanted}"),
                Some(format!("It is {}", shown(&value))),
                "Types are those of emit_event's arguments; null stands for an argument left out.",
            ),
            Self::Element { number, refusal } => {
                let mut inner = refusal.words();
                inner.detail = Some(match inner.detail {
                    Some(detail) => format!("Event {number} of the array. {detail}"),
                    None => format!("Event {number} of the array."),
                });
                inner
            }
            Self::Url { value, problem } => words(
                ERRCODE_INVALID_PARAMETER_VALUE,
                "not the URL of a link".into(),
                Some(format!("\"{}\": {problem}.", shown(&value))),
                "Give an absolute http or https URL, such as https://example.org/a.",
            ),
        }
    }
}
