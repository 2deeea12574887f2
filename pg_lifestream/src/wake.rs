//! Wakes the bridge.
//!
//! Today every transaction that emits sends one NOTIFY without payload on [`CHANNEL`]; PostgreSQL folds the calls of one
//! transaction into one. It costs commit rate, for NOTIFY takes a lock of the whole cluster until the commit is flushed.
//! This is the one place that wakes, called once for each event by the guard: a wake-up that a preloaded library sends
//! after the commit, and only to a bridge that sleeps, replaces the body of [`after_commit`] and nothing else.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_void};

use pgrx::pg_sys;

use crate::guc;

/// What the bridge LISTENs to.
const CHANNEL: &CStr = c"lifestream_emitted";

unsafe extern "C-unwind" {
    // From commands/async.h, which pgrx does not bind.
    fn Async_Notify(channel: *const c_char, payload: *const c_char);
}

thread_local! {
    /// Where a NOTIFY waits for the commit: transaction and subtransaction.
    static TOLD: Cell<Option<(pg_sys::TransactionId, pg_sys::SubTransactionId)>> = const { Cell::new(None) };
}

/// Follows a NOTIFY of a savepoint that is released to the one around it. Called once, when the library is loaded.
pub fn follow_savepoints() {
    #[pgrx::pg_guard]
    unsafe extern "C-unwind" fn follow(
        event: pg_sys::SubXactEvent::Type,
        ended: pg_sys::SubTransactionId,
        around: pg_sys::SubTransactionId,
        _argument: *mut c_void,
    ) {
        if let Some((transaction, told)) = TOLD.get()
            && event == pg_sys::SubXactEvent::SUBXACT_EVENT_COMMIT_SUB
            && told == ended
        {
            TOLD.set(Some((transaction, around)));
        }
    }
    // SAFETY: the function lives as long as the library, which is never unloaded.
    unsafe { pg_sys::RegisterSubXactCallback(Some(follow), std::ptr::null_mut()) }
}

/// Has the bridge woken when this transaction commits, unless the session asked for silence.
///
/// Once is enough for a transaction, as long as the savepoint that said so is not rolled back; and once it must be, for
/// each savepoint with a NOTIFY of its own would take 8 kB until the transaction ends.
pub fn after_commit() {
    if !guc::notify() {
        return;
    }
    // SAFETY: the channel is a C string; a NULL payload is an empty one; an error of the call becomes a Rust panic. The
    // others only name what is running; an insert needs the transaction id anyway.
    unsafe {
        let transaction = pg_sys::GetTopTransactionId();
        if TOLD.get().is_some_and(|(of, told)| of == transaction && pg_sys::SubTransactionIsActive(told)) {
            return;
        }
        pg_sys::ffi::pg_guard_ffi_boundary(|| Async_Notify(CHANNEL.as_ptr(), std::ptr::null()));
        TOLD.set(Some((transaction, pg_sys::GetCurrentSubTransactionId())));
    }
}
