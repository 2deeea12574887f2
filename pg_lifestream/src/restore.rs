//! When rows of a dump may come in with their own `seq` and flag: as long as no bridge has worked on this very table.

use std::cell::Cell;

use pgrx::pg_sys;

use crate::plan;

thread_local! {
    /// The command that was found to restore: COPY brings many rows in one.
    static RESTORING: Cell<Option<Command>> = const { Cell::new(None) };
}

/// The subtransaction too: a rolled back savepoint lets the lock go that keeps bridges out, and what follows it may go
/// on with the same command id.
type Command = (pg_sys::TransactionId, pg_sys::SubTransactionId, pg_sys::CommandId);

fn this_command() -> Command {
    // SAFETY: they only name what is running; an insert needs the transaction id anyway.
    unsafe { (pg_sys::GetTopTransactionId(), pg_sys::GetCurrentSubTransactionId(), pg_sys::GetCurrentCommandId(false)) }
}

/// Whether an earlier row of this command was found to be a restored one.
pub fn under_way() -> bool {
    RESTORING.get().is_some_and(|restoring| restoring == this_command())
}

/// Whether rows may be restored. If so, no bridge begins before they are committed: it would read past their numbers
/// while it cannot see them yet.
pub fn allowed(owner: pg_sys::Oid) -> bool {
    let command = this_command();
    // Looked at before the lock, so that a mistaken COPY never makes a working bridge wait, and again under it.
    if plan::bridge_has_worked(owner) {
        return false;
    }
    plan::keep_bridge_out(owner);
    if plan::bridge_has_worked(owner) {
        return false;
    }
    RESTORING.set(Some(command));
    true
}
