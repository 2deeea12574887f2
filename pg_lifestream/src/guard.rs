//! The row trigger that every event passes, whichever way it comes in: `emit_event`, INSERT, COPY, replication.

use pgrx::pg_sys;

use crate::entry::{Answer, sql_function};
use crate::error::Refusal;
use crate::row::{COLUMNS, Column, Row};
use crate::{archive, check, restore, sequence, wake};

sql_function!(guard_event_wrapper, pg_finfo_guard_event_wrapper, guard_event);

const REFUSED: Refusal = Refusal::NotOurTrigger { function: "guard_event" };

/// The trigger that is being fired; `None` when the function was called by hand.
///
/// # Safety
/// `fcinfo` must be the running call's.
pub unsafe fn trigger_data<'a>(fcinfo: pg_sys::FunctionCallInfo) -> Option<&'a pg_sys::TriggerData> {
    // SAFETY: a context of this node type is a TriggerData.
    unsafe {
        let context = (*fcinfo).context;
        (!context.is_null() && (*context).type_ == pg_sys::NodeTag::T_TriggerData)
            .then(|| &*context.cast::<pg_sys::TriggerData>())
    }
}

/// BEFORE INSERT FOR EACH ROW: returns the row with its defaults filled, or refuses it.
unsafe fn guard_event(fcinfo: pg_sys::FunctionCallInfo) -> Answer {
    // SAFETY: fcinfo is the running call's.
    let trigger = unsafe { trigger_data(fcinfo) }.ok_or(REFUSED)?;
    let before_insert_row = pg_sys::TRIGGER_EVENT_INSERT | pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_BEFORE;
    if trigger.tg_event & (pg_sys::TRIGGER_EVENT_OPMASK | pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_TIMINGMASK)
        != before_insert_row
    {
        return Err(REFUSED);
    }
    let relation = trigger.tg_relation;
    // SAFETY: a trigger's relation is open, with descriptor and catalogue entry.
    let (descriptor, owner) = unsafe {
        sequence::learn(relation)?;
        ((*relation).rd_att, (*(*relation).rd_rel).relowner)
    };
    // SAFETY: at least COLUMNS columns, as learn has seen; the tuple is one of this relation.
    let mut row = unsafe {
        let columns = ((*descriptor).natts as usize).max(COLUMNS);
        let values = pg_sys::palloc0(columns * size_of::<pg_sys::Datum>()).cast::<pg_sys::Datum>();
        let nulls = pg_sys::palloc0(columns).cast::<bool>();
        pg_sys::heap_deform_tuple(trigger.tg_trigtuple, descriptor, values, nulls);
        Row {
            values: std::slice::from_raw_parts_mut(values, columns),
            nulls: std::slice::from_raw_parts_mut(nulls, columns),
        }
    };
    let seq = row.get(Column::Seq).map_or(0, |datum| datum.value() as i64);
    let tuple = if sequence::accept_vouched(seq) {
        trigger.tg_trigtuple
    } else {
        let restored = admit(&row, seq, owner)?;
        if !restored {
            if let Some(id) = row.id() {
                archive::refuse_archived(id, owner)?;
            }
            row.fill_defaults()?;
        }
        check::row(&row, restored)?;
        // SAFETY: as many values as the descriptor has columns, of their types.
        unsafe { pg_sys::heap_form_tuple(descriptor, row.values.as_mut_ptr(), row.nulls.as_mut_ptr()) }
    };
    // An asynchronous commit becomes visible before it is safe: the bridge could publish an event that a crash then
    // takes back, and whose seq the sequence gives out again.
    // SAFETY: sets a flag of this transaction.
    unsafe { pg_sys::ForceSyncCommit() };
    wake::after_commit();
    Ok(Some(pg_sys::Datum::from(tuple)))
}

/// Refuses what a client may not set. Whether the row is restored from a dump, with all of its columns.
fn admit(row: &Row, seq: i64, owner: pg_sys::Oid) -> Result<bool, Refusal> {
    if restore::under_way() {
        return Ok(true);
    }
    let drawn = sequence::accept_drawn(seq, owner)?;
    let published = row.get(Column::PublishedToKafka).is_some_and(|datum| datum.value() != 0);
    match (drawn, published) {
        (true, false) => Ok(false),
        _ if restore::allowed(owner) => Ok(true),
        (true, true) => Err(Refusal::FlagGiven),
        (false, _) => Err(Refusal::SeqGiven { seq }),
    }
}
