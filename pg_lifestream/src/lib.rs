//! The extension: a thin skin around `lifestream.events` that knows nothing of Kafka.
//!
//! An event comes in by [`emit`], by [`emit_many`] or by a plain INSERT; all of them pass [`guard`], which fills it
//! ([`row`]), checks it ([`check`]), proves its `seq` ([`sequence`]) and wakes the bridge ([`wake`]). The SQL that
//! declares these functions is in `sql/`, one object a file.

mod append_only;
mod archive;
mod check;
mod derived;
mod draft;
mod emit;
mod emit_many;
mod entry;
mod error;
mod guard;
mod guc;
mod id;
mod insert;
mod jsonb;
mod link;
mod plan;
mod restore;
mod row;
mod sequence;
mod table;
mod text;
mod version;
mod wake;

::pgrx::pg_module_magic!(name, version);

/// Called by the server when it loads the library: at its start, or at a session's first use of one of the functions.
#[allow(non_snake_case, reason = "the name is PostgreSQL's")]
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    // pgrx would append a Rust backtrace to the DETAIL of every error for a server started with RUST_BACKTRACE.
    // SAFETY: postmaster and backends have one thread.
    unsafe { std::env::set_var("RUST_LIB_BACKTRACE", "0") };
    guc::define();
    sequence::follow_relcache();
    wake::follow_savepoints();
}
