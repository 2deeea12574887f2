//! How SQL reaches Rust: the C symbols that `sql/` names, and the arguments behind them.

use pgrx::pg_sys;

/// What a function answers: a datum, or `None` for SQL's NULL.
pub type Answer = Result<Option<pg_sys::Datum>, crate::error::Refusal>;

/// Exports `$symbol` for `LANGUAGE c`, calling `$body(fcinfo) -> Answer`; a refusal becomes an SQL error.
macro_rules! sql_function {
    ($symbol:ident, $finfo:ident, $body:path) => {
        /// The calling convention of the function below it.
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $finfo() -> &'static pgrx::pg_sys::Pg_finfo_record {
            const V1: pgrx::pg_sys::Pg_finfo_record = pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
            &V1
        }

        /// # Safety
        /// Only PostgreSQL's function manager calls this.
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        #[pgrx::pg_guard]
        pub unsafe extern "C-unwind" fn $symbol(fcinfo: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
            // SAFETY: the function manager passes a valid fcinfo, and nobody else calls this symbol.
            match unsafe { $body(fcinfo) } {
                Ok(Some(datum)) => datum,
                Ok(None) => {
                    // SAFETY: as above.
                    unsafe { (*fcinfo).isnull = true };
                    pgrx::pg_sys::Datum::from(0)
                }
                Err(refusal) => refusal.raise(),
            }
        }
    };
}
pub(crate) use sql_function;

/// The arguments of a call, as passed.
///
/// # Safety
/// `fcinfo` must be the one of the running call.
pub unsafe fn arguments<'a>(fcinfo: pg_sys::FunctionCallInfo) -> &'a [pg_sys::NullableDatum] {
    // SAFETY: PostgreSQL allocates `nargs` arguments behind the header.
    unsafe { (*fcinfo).args.as_slice((*fcinfo).nargs as usize) }
}
