//! Rows of `lifestream.events` as they come over the wire, without a copy.

use lifestream_envelope::event::EventRow;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

type Decoded<T> = Result<T, Box<dyn std::error::Error + Sync + Send>>;

/// The columns that [`event`] reads, in its order.
pub const COLUMNS: &str = "e.seq, e.id, e.occurred_at, e.received_at, e.source, e.subject, e.subject_id, e.event_type, \
     e.payload, e.schema_version, e.correlation_id, e.causation_id, e.tenant_id, e.headers";

/// A jsonb value as the text that the server makes of it: numbers keep every digit.
struct JsonText<'a>(&'a str);

impl<'a> FromSql<'a> for JsonText<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Decoded<Self> {
        // jsonb's binary format is a version byte, then the text.
        match raw.split_first() {
            Some((1, text)) => Ok(Self(std::str::from_utf8(text)?)),
            _ => Err("jsonb of an unknown version".into()),
        }
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }
}

/// A timestamptz in microseconds since the Unix epoch.
struct UnixMicros(i64);

impl<'a> FromSql<'a> for UnixMicros {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Decoded<Self> {
        /// PostgreSQL counts from 2000-01-01.
        const POSTGRES_EPOCH: i64 = 946_684_800_000_000;
        Ok(Self(i64::from_sql(ty, raw)?.saturating_add(POSTGRES_EPOCH)))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }
}

/// Reads a row of [`COLUMNS`].
pub fn event(row: &Row) -> Result<EventRow<'_>, tokio_postgres::Error> {
    Ok(EventRow {
        seq: row.try_get(0)?,
        id: row.try_get(1)?,
        occurred_at_us: row.try_get::<_, UnixMicros>(2)?.0,
        received_at_us: row.try_get::<_, UnixMicros>(3)?.0,
        source: row.try_get(4)?,
        subject: row.try_get(5)?,
        subject_id: row.try_get(6)?,
        event_type: row.try_get(7)?,
        payload: row.try_get::<_, JsonText<'_>>(8)?.0,
        schema_version: row.try_get(9)?,
        correlation_id: row.try_get(10)?,
        causation_id: row.try_get(11)?,
        tenant_id: row.try_get(12)?,
        headers: row.try_get::<_, JsonText<'_>>(13)?.0,
    })
}

/// The bytes of a row, for bounds on memory.
pub fn bytes(row: &Row) -> usize {
    row.raw_size_bytes()
}
