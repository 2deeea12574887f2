//! `derived_id`: ids that are derived from what caused them, so that a repeat makes the same id.

use pgrx::pg_sys;
use uuid::Uuid;

use crate::entry::{Answer, arguments, sql_function};
use crate::{row, text};

sql_function!(derived_id_wrapper, pg_finfo_derived_id_wrapper, derived_id);

/// The namespace of every derived id, the one of `envelope/src/ids.rs`: it never changes.
const NAMESPACE: Uuid = Uuid::from_u128(0x9991_fde0_8bbf_458d_8b47_7374_506b_9800);

/// See `sql/events/derived_id.sql`.
unsafe fn derived_id(fcinfo: pg_sys::FunctionCallInfo) -> Answer {
    // SAFETY: the function is strict and takes one text.
    let name = unsafe { text::utf8(text::octets(arguments(fcinfo)[0].value)) };
    Ok(Some(row::id_datum(&Uuid::new_v5(&NAMESPACE, &name).into_bytes())))
}
