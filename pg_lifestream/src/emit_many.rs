//! `emit_events`: an array of events in the caller's transaction, through one opened table.

use pgrx::pg_sys;

use crate::check;
use crate::draft::Draft;
use crate::emit::emit;
use crate::entry::{Answer, arguments, sql_function};
use crate::error::Refusal;
use crate::id::Id;
use crate::jsonb::{Container, Value};
use crate::table::Table;
use crate::text;

sql_function!(emit_events_wrapper, pg_finfo_emit_events_wrapper, emit_events);

/// See `sql/events/emit_events.sql`. All events are emitted by the first call, so that a LIMIT loses none; each call
/// then returns one id.
unsafe fn emit_events(fcinfo: pg_sys::FunctionCallInfo) -> Answer {
    // SAFETY: PostgreSQL's protocol for a function that returns a set, one value a call; the ids live in the memory
    // context that outlives the calls.
    unsafe {
        if (*(*fcinfo).flinfo).fn_extra.is_null() {
            let argument = arguments(fcinfo)[0].value;
            let ids = emit_array(argument)?;
            let calls = pg_sys::init_MultiFuncCall(fcinfo);
            let kept = pg_sys::MemoryContextAlloc((*calls).multi_call_memory_ctx, (ids.len() * size_of::<Id>()).max(1));
            std::ptr::copy_nonoverlapping(ids.as_ptr(), kept.cast(), ids.len());
            (*calls).user_fctx = kept;
            (*calls).max_calls = ids.len() as u64;
        }
        let calls = pg_sys::per_MultiFuncCall(fcinfo);
        let result = (*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        if (*calls).call_cntr < (*calls).max_calls {
            let id = (*calls).user_fctx.cast::<Id>().add((*calls).call_cntr as usize);
            (*calls).call_cntr += 1;
            (*result).isDone = pg_sys::ExprDoneCond::ExprMultipleResult;
            Ok(Some(pg_sys::Datum::from(id)))
        } else {
            pg_sys::end_MultiFuncCall(fcinfo, calls);
            (*result).isDone = pg_sys::ExprDoneCond::ExprEndResult;
            Ok(None)
        }
    }
}

fn emit_array(argument: pg_sys::Datum) -> Result<Vec<Id>, Refusal> {
    // SAFETY: the argument is a jsonb and not NULL: the function is strict.
    let array = match Value::of(unsafe { text::octets(argument) }) {
        Value::Array(array) => array,
        other => {
            let value = check::printed(Some(argument)).into_bytes();
            return Err(Refusal::NotAnArray { kind: other.kind(), value });
        }
    };
    let mut table = Table::open()?;
    let mut ids = Vec::with_capacity(array.len());
    for (index, element) in array.elements().enumerate() {
        let id = emit_element(&mut table, &element)
            .map_err(|refusal| Refusal::Element { number: index + 1, refusal: Box::new(refusal) })?;
        ids.push(id);
    }
    table.close();
    Ok(ids)
}

fn emit_element(table: &mut Table, element: &Value) -> Result<Id, Refusal> {
    let object: &Container = match element {
        Value::Object(object) => object,
        other => {
            return Err(Refusal::WrongType {
                key: "an element",
                wanted: "an object",
                value: check::shown(other).into_bytes(),
            });
        }
    };
    // SAFETY: the context lives as long as the table's state; nothing made in it is used for the next element.
    let context = unsafe { pg_sys::MemoryContextSwitchTo(table.fresh_row_context()) };
    let id = Draft::from_object(object).and_then(|mut draft| emit(table, &mut draft));
    // SAFETY: the context before.
    unsafe { pg_sys::MemoryContextSwitchTo(context) };
    // What the loop has begun, a cancel ends.
    pgrx::check_for_interrupts!();
    id
}
