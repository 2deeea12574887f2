//! Proves that an event's `seq` was drawn for it, under the lock on the table.
//!
//! The bridge gives up a gap in `seq` once every transaction that held a lock on the table when the gap was seen is
//! gone. A number that comes in by another way (given by a client, or drawn by a statement that was rolled back) could
//! fill a gap that was given up, and would be missed for ever. So a number is taken only if it is the one that this
//! session drew last, and each number once: what a savepoint has rolled back cannot be given again.

use std::cell::Cell;

use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgSqlErrorCode, PgTryBuilder, direct_function_call, pg_sys};

use crate::error::Refusal;
use crate::plan::AsOwner;
use crate::row::{Column, NAMES};

#[derive(Clone, Copy)]
struct State {
    /// Oid of lifestream.events, and whether it was looked at since the catalogue last changed; its identity sequence.
    events: pg_sys::Oid,
    sequence: pg_sys::Oid,
    /// The largest number accepted in this session; 0: none.
    accepted: i64,
    /// The number that `emit_event` has just drawn and whose row it has filled and checked; 0: none.
    vouched: i64,
}

thread_local! {
    static STATE: Cell<State> = const {
        Cell::new(State { events: pg_sys::InvalidOid, sequence: pg_sys::InvalidOid, accepted: 0, vouched: 0 })
    };
}

unsafe extern "C-unwind" {
    // From commands/sequence.h, which pgrx does not bind. Without the check: the caller may emit, which is enough.
    fn nextval_internal(relid: pg_sys::Oid, check_permissions: bool) -> i64;
}

/// Has [`known`] look again whenever the catalogue entry of the table changes. Called once, when the library is loaded.
pub fn follow_relcache() {
    #[pgrx::pg_guard]
    unsafe extern "C-unwind" fn forget(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
        let state = STATE.get();
        if relation == pg_sys::InvalidOid || relation == state.events {
            STATE.set(State { events: pg_sys::InvalidOid, ..state });
        }
    }
    // SAFETY: the function lives as long as the library, which is never unloaded.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(forget), pg_sys::Datum::from(0)) }
}

/// The table's oid if it is still as [`learn`] saw it.
pub fn known() -> Option<pg_sys::Oid> {
    Some(STATE.get().events).filter(|events| *events != pg_sys::InvalidOid)
}

/// Looks at the open table: it must be lifestream.events, with the columns that this library knows.
///
/// # Safety
/// `relation` must be open.
pub unsafe fn learn(relation: pg_sys::Relation) -> Result<(), Refusal> {
    // SAFETY: the relation is open.
    let oid = unsafe { (*relation).rd_id };
    if known() == Some(oid) {
        return Ok(());
    }
    // SAFETY: catalogue look-ups; names are C strings.
    unsafe {
        let namespace = pg_sys::get_namespace_oid(c"lifestream".as_ptr(), true);
        if pg_sys::get_relname_relid(c"events".as_ptr(), namespace) != oid {
            return Err(Refusal::NotOurTrigger { function: "guard_event" });
        }
        for (index, name) in NAMES.iter().enumerate() {
            let column = pg_sys::get_attname(oid, index as i16 + 1, true);
            if column.is_null() || std::ffi::CStr::from_ptr(column).to_bytes() != name.as_bytes() {
                return Err(Refusal::ForeignShape { detail: format!("Column {} is not {name}.", index + 1) });
            }
        }
        let sequence = identity_sequence(relation);
        let before = STATE.get();
        let accepted = if sequence == before.sequence { before.accepted } else { 0 };
        STATE.set(State { events: oid, sequence, accepted, vouched: 0 });
    }
    Ok(())
}

#[cfg(any(feature = "pg13", feature = "pg14", feature = "pg15", feature = "pg16"))]
unsafe fn identity_sequence(relation: pg_sys::Relation) -> pg_sys::Oid {
    // SAFETY: the relation is open; an error is raised when it has no such sequence.
    unsafe { pg_sys::getIdentitySequence((*relation).rd_id, Column::Seq as i16 + 1, false) }
}

#[cfg(not(any(feature = "pg13", feature = "pg14", feature = "pg15", feature = "pg16")))]
unsafe fn identity_sequence(relation: pg_sys::Relation) -> pg_sys::Oid {
    // SAFETY: the relation is open; an error is raised when it has no such sequence.
    unsafe { pg_sys::getIdentitySequence(relation, Column::Seq as i16 + 1, false) }
}

/// A number that is vouched for to the trigger until this is dropped, and spent then: an error drops it too, where a
/// user's trigger fails before ours has seen the row, and the number must not let in another.
pub struct Drawn(pub i64);

impl Drop for Drawn {
    fn drop(&mut self) {
        let state = STATE.get();
        STATE.set(State { vouched: 0, accepted: state.accepted.max(self.0), ..state });
    }
}

/// Draws a number for a row that is filled and checked. The table must be locked and [`learn`]ed.
pub fn draw() -> Drawn {
    let sequence = STATE.get().sequence;
    // SAFETY: an error of the call becomes a Rust panic.
    let seq = unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| nextval_internal(sequence, false)) };
    STATE.set(State { vouched: seq, ..STATE.get() });
    Drawn(seq)
}

/// Whether [`draw`] has just vouched for this number; only once.
pub fn accept_vouched(seq: i64) -> bool {
    let state = STATE.get();
    if seq != state.vouched || seq <= state.accepted {
        return false;
    }
    STATE.set(State { vouched: 0, accepted: seq, ..state });
    true
}

/// Whether this session drew the number, as its last one, and has not used it before.
pub fn accept_drawn(seq: i64, owner: pg_sys::Oid) -> Result<bool, Refusal> {
    let state = STATE.get();
    if seq <= state.accepted {
        return Ok(false);
    }
    let last = if state.accepted > 0 {
        // This session has drawn before, so there is a last number, unless DISCARD has made it forgotten: then the
        // number was given, and an error caught outside a subtransaction must end in an error.
        PgTryBuilder::new(|| Ok(last_drawn(state.sequence, owner)))
            .catch_when(PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, |_| {
                STATE.set(State { accepted: 0, ..state });
                Err(Refusal::SeqGiven { seq })
            })
            .execute()?
    } else {
        in_subtransaction(|| last_drawn(state.sequence, owner))
    };
    let ours = last == Some(seq);
    if ours {
        STATE.set(State { accepted: seq, ..STATE.get() });
    }
    Ok(ours)
}

/// `currval`, as the table's owner: who may insert need not be allowed to read the sequence.
fn last_drawn(sequence: pg_sys::Oid, owner: pg_sys::Oid) -> Option<i64> {
    let _as_owner = AsOwner::enter(owner);
    // SAFETY: currval takes a relation's oid.
    unsafe { direct_function_call::<i64>(pg_sys::currval_oid, &[Some(sequence.into())]) }
}

/// `None` where the session has drawn no number, an error that leaves nothing behind.
fn in_subtransaction(call: impl FnOnce() -> Option<i64> + std::panic::UnwindSafe) -> Option<i64> {
    // SAFETY: what PL/pgSQL does for a block with an EXCEPTION clause.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let result = PgTryBuilder::new(|| Ok(call())).catch_others(|error| Err(Box::new(error))).execute();
        match result {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        result.unwrap_or_else(|error| match *error {
            CaughtError::PostgresError(report) | CaughtError::ErrorReport(report)
                if report.sql_error_code() == PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE =>
            {
                None
            }
            error => error.rethrow(),
        })
    }
}
