//! An event as a caller describes it: what is not given is NULL.

use std::ffi::CString;

use pgrx::{PgSqlErrorCode, PgTryBuilder, direct_function_call, pg_sys};

use crate::check;
use crate::error::Refusal;
use crate::jsonb::{Container, Value};
use crate::row::{COLUMNS, Column, Row, id_datum};
use crate::{id, text};

/// The arguments of `emit_event`, by column.
pub struct Draft {
    values: [pg_sys::Datum; COLUMNS],
    nulls: [bool; COLUMNS],
    /// `expected_version`.
    pub expected_version: Option<i64>,
}

/// The columns of emit_event's arguments, in their order; `expected_version` comes behind them.
const ARGUMENTS: [Column; 12] = [
    Column::EventType,
    Column::Subject,
    Column::SubjectId,
    Column::Payload,
    Column::Source,
    Column::OccurredAt,
    Column::Id,
    Column::CorrelationId,
    Column::CausationId,
    Column::TenantId,
    Column::SchemaVersion,
    Column::Headers,
];

impl Draft {
    fn empty() -> Self {
        Self { values: [pg_sys::Datum::from(0); COLUMNS], nulls: [true; COLUMNS], expected_version: None }
    }

    /// From a call of `emit_event`.
    pub fn from_arguments(arguments: &[pg_sys::NullableDatum]) -> Self {
        let mut draft = Self::empty();
        for (column, argument) in ARGUMENTS.iter().zip(arguments) {
            if !argument.isnull {
                draft.row().set(*column, argument.value);
            }
        }
        draft.expected_version = arguments
            .get(ARGUMENTS.len())
            .filter(|argument| !argument.isnull)
            .map(|argument| argument.value.value() as i64);
        draft
    }

    /// From an object with the names of `emit_event`'s arguments; JSON null is as good as absent, but for the payload.
    pub fn from_object(object: &Container) -> Result<Self, Refusal> {
        let mut draft = Self::empty();
        for (key, value) in object.pairs() {
            match key {
                b"event_type" => draft.text(Column::EventType, "event_type", &value)?,
                b"subject" => draft.text(Column::Subject, "subject", &value)?,
                b"subject_id" => draft.text(Column::SubjectId, "subject_id", &value)?,
                b"payload" => draft.json(Column::Payload, "payload", &value)?,
                b"source" => draft.text(Column::Source, "source", &value)?,
                b"occurred_at" => draft.timestamp(Column::OccurredAt, "occurred_at", &value)?,
                b"id" => draft.uuid(Column::Id, "id", &value)?,
                b"correlation_id" => draft.uuid(Column::CorrelationId, "correlation_id", &value)?,
                b"causation_id" => draft.uuid(Column::CausationId, "causation_id", &value)?,
                b"tenant_id" => draft.text(Column::TenantId, "tenant_id", &value)?,
                b"schema_version" => {
                    if let Some(version) = integer::<i32>("schema_version", "a whole number below 2147483648", &value)?
                    {
                        draft.row().set(Column::SchemaVersion, version.into());
                    }
                }
                b"headers" => draft.json(Column::Headers, "headers", &value)?,
                b"expected_version" => {
                    draft.expected_version = integer::<i64>("expected_version", "a whole number", &value)?;
                }
                unknown => return Err(Refusal::UnknownKey { key: unknown.to_vec() }),
            }
        }
        Ok(draft)
    }

    /// As a row of the table.
    pub fn row(&mut self) -> Row<'_> {
        Row { values: &mut self.values, nulls: &mut self.nulls }
    }

    fn text(&mut self, column: Column, key: &'static str, value: &Value) -> Result<(), Refusal> {
        match value {
            Value::Null => {}
            Value::Text(octets) => self.row().set(column, text::datum(octets)),
            other => return Err(wrong_type(key, "a string", other)),
        }
        Ok(())
    }

    fn json(&mut self, column: Column, key: &'static str, value: &Value) -> Result<(), Refusal> {
        match value {
            Value::Null => {}
            Value::Object(object) => self.row().set(column, text::datum(object.octets())),
            other => return Err(wrong_type(key, "a JSON object", other)),
        }
        Ok(())
    }

    fn uuid(&mut self, column: Column, key: &'static str, value: &Value) -> Result<(), Refusal> {
        let id = match value {
            Value::Null => return Ok(()),
            Value::Text(octets) => id::parse(octets),
            _ => None,
        };
        let id = id.ok_or_else(|| wrong_type(key, "a uuid", value))?;
        self.row().set(column, id_datum(&id));
        Ok(())
    }

    fn timestamp(&mut self, column: Column, key: &'static str, value: &Value) -> Result<(), Refusal> {
        let time = match value {
            Value::Null => return Ok(()),
            Value::Text(octets) => parse_timestamp(octets),
            _ => None,
        };
        let time = time.ok_or_else(|| wrong_type(key, "a timestamp", value))?;
        self.row().set(column, time);
        Ok(())
    }
}

fn wrong_type(key: &'static str, wanted: &'static str, value: &Value) -> Refusal {
    Refusal::WrongType { key, wanted, value: check::shown(value).into_bytes() }
}

fn integer<T: std::str::FromStr>(key: &'static str, wanted: &'static str, value: &Value) -> Result<Option<T>, Refusal> {
    match value {
        Value::Null => Ok(None),
        Value::Number(numeric) => check::number(numeric).parse().map(Some).map_err(|_| wrong_type(key, wanted, value)),
        other => Err(wrong_type(key, wanted, other)),
    }
}

/// Whatever PostgreSQL takes for a timestamptz. `None` ends in an error: what its parser raised was caught without a
/// subtransaction.
fn parse_timestamp(octets: &[u8]) -> Option<pg_sys::Datum> {
    let text = CString::new(octets).ok()?;
    let unlimited = pg_sys::Datum::from(-1_i32);
    PgTryBuilder::new(|| {
        // SAFETY: timestamptz_in takes a C string, an oid that it ignores and a type modifier.
        unsafe {
            direct_function_call::<pg_sys::Datum>(
                pg_sys::timestamptz_in,
                &[Some(text.as_ptr().into()), Some(pg_sys::InvalidOid.into()), Some(unlimited)],
            )
        }
    })
    .catch_when(PgSqlErrorCode::ERRCODE_INVALID_DATETIME_FORMAT, |_| None)
    .catch_when(PgSqlErrorCode::ERRCODE_DATETIME_FIELD_OVERFLOW, |_| None)
    .catch_when(PgSqlErrorCode::ERRCODE_INVALID_TIME_ZONE_DISPLACEMENT_VALUE, |_| None)
    .catch_when(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, |_| None)
    .execute()
}
