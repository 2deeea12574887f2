//! Wakes the bridge.
//!
//! Today every transaction that emits sends one NOTIFY without payload on [`CHANNEL`]; PostgreSQL folds the calls of one
//! transaction into one. It costs commit rate, for NOTIFY takes a lock of the whole cluster until the commit is flushed.
//! This is the one place that wakes, called once for each event by the guard: a wake-up that a preloaded library sends
//! after the commit, and only to a bridge that sleeps, replaces the body of [`after_commit`] and nothing else.

use std::ffi::{CStr, c_char};

use crate::guc;

/// What the bridge LISTENs to.
const CHANNEL: &CStr = c"lifestream_emitted";

unsafe extern "C-unwind" {
    // From commands/async.h, which pgrx does not bind.
    fn Async_Notify(channel: *const c_char, payload: *const c_char);
}

/// Has the bridge woken when this transaction commits, unless the session asked for silence.
pub fn after_commit() {
    if !guc::notify() {
        return;
    }
    // SAFETY: the channel is a C string; a NULL payload is an empty one; an error of the call becomes a Rust panic.
    unsafe { pgrx::pg_sys::ffi::pg_guard_ffi_boundary(|| Async_Notify(CHANNEL.as_ptr(), std::ptr::null())) }
}
