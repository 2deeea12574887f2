//! The columns of `lifestream.events` as the trigger and the emitting functions hold them, and how NULLs are filled.

use pgrx::{direct_function_call, pg_sys};

use crate::check;
use crate::error::Refusal;
use crate::id::{self, Id};
use crate::{guc, text};

/// Columns of the table, in its order.
#[derive(Clone, Copy)]
#[repr(usize)]
#[allow(missing_docs, reason = "the names are the columns'")]
pub enum Column {
    Id,
    Seq,
    OccurredAt,
    ReceivedAt,
    Source,
    Subject,
    SubjectId,
    EventType,
    Payload,
    SchemaVersion,
    CorrelationId,
    CausationId,
    TenantId,
    Headers,
    PublishedToKafka,
}

/// Their names, as the table has them.
pub const NAMES: [&str; COLUMNS] = [
    "id",
    "seq",
    "occurred_at",
    "received_at",
    "source",
    "subject",
    "subject_id",
    "event_type",
    "payload",
    "schema_version",
    "correlation_id",
    "causation_id",
    "tenant_id",
    "headers",
    "published_to_kafka",
];

/// Number of columns.
pub const COLUMNS: usize = 15;

/// A row about to be inserted. Values are datums of the columns' types, valid in the current memory context.
pub struct Row<'a> {
    /// One for each column of the table; more where its owner has added some.
    pub values: &'a mut [pg_sys::Datum],
    /// Which are NULL.
    pub nulls: &'a mut [bool],
}

impl Row<'_> {
    /// The datum of a column; `None` for NULL.
    pub fn get(&self, column: Column) -> Option<pg_sys::Datum> {
        (!self.nulls[column as usize]).then(|| self.values[column as usize])
    }

    /// Sets a column.
    pub fn set(&mut self, column: Column, datum: pg_sys::Datum) {
        self.values[column as usize] = datum;
        self.nulls[column as usize] = false;
    }

    fn fill(&mut self, column: Column, datum: impl FnOnce() -> pg_sys::Datum) {
        if self.nulls[column as usize] {
            self.set(column, datum());
        }
    }

    /// The octets of a text or jsonb column; `None` for NULL.
    pub fn octets(&self, column: Column) -> Option<&[u8]> {
        // SAFETY: datums of a row are valid, and this is only asked for varlena columns.
        self.get(column).map(|datum| unsafe { text::octets(datum) })
    }

    /// The id; `None` for NULL.
    pub fn id(&self) -> Option<Id> {
        // SAFETY: a uuid datum points to 16 octets.
        self.get(Column::Id).map(|datum| unsafe { *datum.cast_mut_ptr::<Id>() })
    }

    /// Gives every column that the caller left NULL its default.
    pub fn fill_defaults(&mut self) -> Result<(), Refusal> {
        // SAFETY: reads the transaction's start.
        let now = || unsafe { pg_sys::GetCurrentTransactionStartTimestamp() }.into();
        let id = match self.id() {
            Some(id) => id,
            None => {
                let id = id::new_v7();
                self.set(Column::Id, id_datum(&id));
                id
            }
        };
        self.fill(Column::OccurredAt, now);
        self.fill(Column::ReceivedAt, now);
        self.fill(Column::Source, default_source);
        self.fill(Column::SchemaVersion, || 1_i32.into());
        if self.get(Column::CorrelationId).is_none() {
            let correlation_id = guc::correlation_id()?.unwrap_or(id);
            self.set(Column::CorrelationId, id_datum(&correlation_id));
        }
        if self.get(Column::CausationId).is_none()
            && let Some(causation_id) = guc::causation_id()?
        {
            self.set(Column::CausationId, id_datum(&causation_id));
        }
        // The column's own default is '', so '' means "not given" here.
        if self.octets(Column::TenantId).is_none_or(<[u8]>::is_empty) {
            self.set(Column::TenantId, text::datum(&guc::tenant_id().unwrap_or_default()));
        }
        self.fill(Column::Headers, || text::datum(&EMPTY_OBJECT));
        self.fill(Column::PublishedToKafka, || false.into());
        if let Some(traceparent) = guc::traceparent() {
            self.trace(&traceparent)?;
        }
        Ok(())
    }

    /// Adds the session's traceparent to headers that have none.
    fn trace(&mut self, traceparent: &[u8]) -> Result<(), Refusal> {
        check::traceparent("lifestream.traceparent", traceparent)?;
        let headers = self.octets(Column::Headers).unwrap_or_default();
        let crate::jsonb::Value::Object(object) = crate::jsonb::Value::of(headers) else { return Ok(()) };
        if object.pairs().any(|(name, _)| name == b"traceparent") {
            return Ok(());
        }
        let Some(headers) = self.get(Column::Headers) else { return Ok(()) };
        // The check above has left only hexadecimal digits and dashes.
        let addition = format!("{{\"traceparent\": \"{}\"}}\0", String::from_utf8_lossy(traceparent));
        // SAFETY: jsonb_in takes a C string, which addition is; both of jsonb_concat's arguments are jsonb.
        let joined = unsafe {
            direct_function_call::<pg_sys::Datum>(pg_sys::jsonb_in, &[Some(addition.as_ptr().into())]).and_then(
                |addition| {
                    direct_function_call::<pg_sys::Datum>(pg_sys::jsonb_concat, &[Some(headers), Some(addition)])
                },
            )
        };
        if let Some(joined) = joined {
            self.set(Column::Headers, joined);
        }
        Ok(())
    }
}

/// The jsonb `{}` behind its length word: an object of no pairs.
const EMPTY_OBJECT: [u8; 4] = 0x2000_0000_u32.to_ne_bytes();

/// A uuid datum in the current memory context.
pub fn id_datum(id: &Id) -> pg_sys::Datum {
    // SAFETY: palloc returns room for 16 octets, or raises.
    unsafe {
        let pointer = pg_sys::palloc(id.len()).cast::<u8>();
        std::ptr::copy_nonoverlapping(id.as_ptr(), pointer, id.len());
        pointer.into()
    }
}

/// The setting, else the application's name, else the session's user (never the current one, which a SECURITY DEFINER
/// function changes).
fn default_source() -> pg_sys::Datum {
    if let Some(source) = guc::source() {
        return text::datum(&source);
    }
    // SAFETY: application_name is NULL or a C string; a user's name is one.
    unsafe {
        let name = pg_sys::application_name;
        if !name.is_null() && *name != 0 {
            return text::datum(std::ffi::CStr::from_ptr(name).to_bytes());
        }
        let user = pg_sys::GetUserNameFromId(pg_sys::GetSessionUserId(), false);
        text::datum(std::ffi::CStr::from_ptr(user).to_bytes())
    }
}
