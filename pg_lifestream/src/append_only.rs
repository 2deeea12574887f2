//! Refuses what would change or remove an event, for everyone, the table's owner included. Moving events between
//! `lifestream.events` and its archive ([`crate::archive`]) is the one exception.

use pgrx::pg_sys;

use crate::archive;
use crate::entry::{Answer, sql_function};
use crate::error::Refusal;
use crate::guard::trigger_data;

sql_function!(refuse_change_wrapper, pg_finfo_refuse_change_wrapper, refuse_change);

/// The body of the triggers in `sql/events/event_triggers.sql`: says no, but to what is moved to the archive
/// or back. Updates of the flag alone do not come here.
unsafe fn refuse_change(fcinfo: pg_sys::FunctionCallInfo) -> Answer {
    // SAFETY: fcinfo is the running call's.
    let Some(trigger) = (unsafe { trigger_data(fcinfo) }) else {
        // SAFETY: as above.
        return unsafe { archive::move_batch(fcinfo) };
    };
    let is_delete = trigger.tg_event & pg_sys::TRIGGER_EVENT_OPMASK == pg_sys::TRIGGER_EVENT_DELETE;
    if is_delete && archive::is_moving() {
        // The row itself, or nothing where the statement is meant: let it go on.
        return Ok(Some(pg_sys::Datum::from(trigger.tg_trigtuple)));
    }
    let what = match trigger.tg_event & pg_sys::TRIGGER_EVENT_OPMASK {
        pg_sys::TRIGGER_EVENT_DELETE => "DELETE",
        pg_sys::TRIGGER_EVENT_TRUNCATE => "TRUNCATE",
        _ => "UPDATE",
    };
    Err(Refusal::AppendOnly { what })
}
