//! Refuses what would change or remove an event, for everyone, the table's owner included.

use pgrx::pg_sys;

use crate::entry::{Answer, sql_function};
use crate::error::Refusal;
use crate::guard::trigger_data;

sql_function!(refuse_change_wrapper, pg_finfo_refuse_change_wrapper, refuse_change);

/// The body of the triggers in `sql/events/event_triggers.sql`: says no. Updates of the flag alone do not come here.
unsafe fn refuse_change(fcinfo: pg_sys::FunctionCallInfo) -> Answer {
    // SAFETY: fcinfo is the running call's.
    let Some(trigger) = (unsafe { trigger_data(fcinfo) }) else {
        return Err(Refusal::NotOurTrigger { function: "refuse_change" });
    };
    let what = match trigger.tg_event & pg_sys::TRIGGER_EVENT_OPMASK {
        pg_sys::TRIGGER_EVENT_DELETE => "DELETE",
        pg_sys::TRIGGER_EVENT_TRUNCATE => "TRUNCATE",
        _ => "UPDATE",
    };
    Err(Refusal::AppendOnly { what })
}
