//! `emit_event`: one event in the caller's transaction.

use pgrx::{direct_function_call, pg_sys};
use sha2::{Digest, Sha256};

use crate::draft::Draft;
use crate::entry::{Answer, arguments, sql_function};
use crate::error::Refusal;
use crate::id::Id;
use crate::plan::{self, Found};
use crate::row::{Column, id_datum};
use crate::table::Table;
use crate::{archive, check};

sql_function!(emit_event_wrapper, pg_finfo_emit_event_wrapper, emit_event);

/// See `sql/events/emit_event.sql`.
unsafe fn emit_event(fcinfo: pg_sys::FunctionCallInfo) -> Answer {
    // SAFETY: fcinfo is the running call's.
    let mut draft = Draft::from_arguments(unsafe { arguments(fcinfo) });
    let mut table = Table::open()?;
    let id = emit(&mut table, &mut draft)?;
    table.close();
    Ok(Some(id_datum(&id)))
}

/// Emits the event unless its id is there already; returns its id.
pub fn emit(table: &mut Table, draft: &mut Draft) -> Result<Id, Refusal> {
    if let Some(given) = draft.row().id() {
        return emit_once(table, draft, given);
    }
    expect_version(table, draft)?;
    let mut row = draft.row();
    table.insert(&mut row)?;
    Ok(row.id().unwrap_or_default())
}

/// With an id, a repeat answers as the first did, whatever its payload and whatever has happened since.
fn emit_once(table: &mut Table, draft: &mut Draft, id: Id) -> Result<Id, Refusal> {
    // Names first: they are what a repeat is compared by.
    check::name(&draft.row(), Column::EventType)?;
    check::name(&draft.row(), Column::SubjectId)?;
    archive::hold(&id);
    if let Some(found) = plan::find(table.owner(), &id) {
        return same(found, draft, id);
    }
    if draft.expected_version.is_some() {
        lock_subject(draft)?;
        // Whoever held the lock may have been the same emit.
        if let Some(found) = plan::find(table.owner(), &id) {
            return same(found, draft, id);
        }
        expect_version(table, draft)?;
    }
    loop {
        // Waits for a concurrent emitter of this id.
        if table.insert_once(&mut draft.row())? {
            return Ok(id);
        }
        if let Some(found) = plan::find(table.owner(), &id) {
            return same(found, draft, id);
        }
    }
}

fn same(found: Found, draft: &mut Draft, id: Id) -> Result<Id, Refusal> {
    let row = draft.row();
    let is = |column, value: &[u8]| row.octets(column).is_some_and(|octets| octets == value);
    if is(Column::EventType, &found.event_type) && is(Column::SubjectId, &found.subject_id) {
        return Ok(id);
    }
    Err(Refusal::IdTaken { id, event_type: found.event_type, subject_id: found.subject_id })
}

/// Emitters with an `expected_version` for one subject go one after the other. Those that name none do not wait: an
/// event of theirs that is not committed yet is not counted, as if it came later. Two subjects whose hashes are equal
/// wait for each other, which costs time and nothing else.
fn lock_subject(draft: &mut Draft) -> Result<(), Refusal> {
    /// The first key of the advisory lock, so that it is nobody else's: "life" in ASCII.
    const SPACE: i32 = 0x6C69_6665;
    let row = draft.row();
    let hash = Sha256::digest(check::name(&row, Column::SubjectId)?);
    let key = i32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    // SAFETY: the lock takes two integers.
    unsafe {
        direct_function_call::<()>(pg_sys::pg_advisory_xact_lock_int4, &[Some(SPACE.into()), Some(key.into())]);
    }
    Ok(())
}

/// The subject has as many events as the caller expects, or 40001.
fn expect_version(table: &Table, draft: &mut Draft) -> Result<(), Refusal> {
    /// How far beyond the expected number an error counts on.
    const BEYOND: i64 = 1000;
    let Some(expected) = draft.expected_version else { return Ok(()) };
    if expected < 0 {
        return Err(Refusal::VersionNegative { value: expected });
    }
    lock_subject(draft)?;
    let row = draft.row();
    let subject_id = row.octets(Column::SubjectId).unwrap_or_default();
    let limit = expected.saturating_add(BEYOND);
    let actual = plan::count(table.owner(), subject_id, limit);
    if actual == expected {
        return Ok(());
    }
    Err(Refusal::VersionUnmet { subject_id: subject_id.to_vec(), expected, actual, or_more: actual == limit })
}
