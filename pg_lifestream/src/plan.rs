//! The few statements that run as SQL: prepared once a session, run as the owner of the events table.
//!
//! Every name and operator in them is qualified, so that no search_path can slip in another. Running as the owner, as
//! PostgreSQL's own foreign keys do, lets a role emit that can neither read events nor see the bridge's progress.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::pg_sys;

use crate::archive;
use crate::id::Id;
use crate::row::id_datum;
use crate::text;

/// Acts as another user until dropped; errors leave by dropping it too.
pub struct AsOwner {
    user: pg_sys::Oid,
    context: i32,
}

impl AsOwner {
    /// Nothing that a caller may have defined runs meanwhile, and nothing may outlive it.
    pub fn enter(owner: pg_sys::Oid) -> Self {
        let mut before = Self { user: pg_sys::InvalidOid, context: 0 };
        let restricted =
            pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION | pg_sys::SECURITY_NOFORCE_RLS;
        // SAFETY: plain assignments of the backend's user.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&mut before.user, &mut before.context);
            pg_sys::SetUserIdAndSecContext(owner, before.context | restricted as i32);
        }
        before
    }
}

impl Drop for AsOwner {
    fn drop(&mut self) {
        // SAFETY: what was there before.
        unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.context) }
    }
}

/// A statement and the plan that the session keeps for it.
pub struct Statement {
    sql: &'static CStr,
    types: &'static [pg_sys::BuiltinOid],
    plan: Cell<pg_sys::SPIPlanPtr>,
}

/// Which state of the database a statement works on.
#[derive(Clone, Copy, PartialEq)]
pub enum Sees {
    /// It reads all that is committed by now and all that this transaction has done, whatever its isolation level.
    Latest,
    /// It is a command: what it reads is its own affair.
    Nothing,
}

thread_local! {
    static FIND: Statement = const { Statement::new(
        c"SELECT event_type, subject_id FROM lifestream.all_events WHERE id OPERATOR(pg_catalog.=) $1",
        &[pg_sys::BuiltinOid::UUIDOID],
    ) };
    static COUNT: Statement = const { Statement::new(
        c"SELECT pg_catalog.count(*) FROM (SELECT FROM lifestream.all_events WHERE subject_id OPERATOR(pg_catalog.=) $1 LIMIT $2) AS some_events",
        &[pg_sys::BuiltinOid::TEXTOID, pg_sys::BuiltinOid::INT8OID],
    ) };
    static IS_ARCHIVED: Statement = const { Statement::new(
        c"SELECT 1 FROM lifestream.events_archive WHERE id OPERATOR(pg_catalog.=) $1",
        &[pg_sys::BuiltinOid::UUIDOID],
    ) };
    // The schema of version 0.1.0, until ALTER EXTENSION ... UPDATE, has no archive.
    static FIND_0_1: Statement = const { Statement::new(
        c"SELECT event_type, subject_id FROM lifestream.events WHERE id OPERATOR(pg_catalog.=) $1",
        &[pg_sys::BuiltinOid::UUIDOID],
    ) };
    static COUNT_0_1: Statement = const { Statement::new(
        c"SELECT pg_catalog.count(*) FROM (SELECT FROM lifestream.events WHERE subject_id OPERATOR(pg_catalog.=) $1 LIMIT $2) AS some_events",
        &[pg_sys::BuiltinOid::TEXTOID, pg_sys::BuiltinOid::INT8OID],
    ) };
    static WORKED_ON: Statement = const { Statement::new(
        c"SELECT 1 FROM lifestream.bridge_progress WHERE database_identity OPERATOR(pg_catalog.=) lifestream.database_identity()",
        &[],
    ) };
    static KEEP_BRIDGE_OUT: Statement = const { Statement::new(
        c"LOCK TABLE lifestream.bridge_progress IN SHARE MODE",
        &[],
    ) };
}

impl Statement {
    /// Prepared when first run.
    pub const fn new(sql: &'static CStr, types: &'static [pg_sys::BuiltinOid]) -> Self {
        Self { sql, types, plan: Cell::new(std::ptr::null_mut()) }
    }

    /// Runs it as `owner`; `read` gets the number of rows, and is called while they are there.
    pub fn run<T>(
        &self,
        owner: pg_sys::Oid,
        sees: Sees,
        values: &mut [pg_sys::Datum],
        nulls: &[u8],
        read: impl FnOnce(u64) -> T,
    ) -> T {
        let _as_owner = AsOwner::enter(owner);
        // SAFETY: SPI is connected around the calls; values and nulls are as many as types. Its errors become panics,
        // after which the transaction's end disconnects.
        unsafe {
            pg_sys::SPI_connect();
            if self.plan.get().is_null() {
                let mut types: Vec<pg_sys::Oid> = self.types.iter().map(|of| of.value()).collect();
                let plan = pg_sys::SPI_prepare(self.sql.as_ptr(), types.len() as i32, types.as_mut_ptr());
                if plan.is_null() {
                    pgrx::error!("cannot prepare: {}", self.sql.to_string_lossy());
                }
                pg_sys::SPI_keepplan(plan);
                self.plan.set(plan);
            }
            let reads = sees == Sees::Latest;
            let snapshot = if reads {
                pg_sys::CommandCounterIncrement();
                pg_sys::GetLatestSnapshot()
            } else {
                std::ptr::null_mut()
            };
            let done = pg_sys::SPI_execute_snapshot(
                self.plan.get(),
                values.as_mut_ptr(),
                nulls.as_ptr().cast(),
                snapshot,
                std::ptr::null_mut(),
                reads,
                true,
                0,
            );
            if done < 0 {
                pgrx::error!("cannot run: {}", self.sql.to_string_lossy());
            }
            let result = read(pg_sys::SPI_processed);
            pg_sys::SPI_finish();
            result
        }
    }
}

/// A column (from 1) of the first row, as text in the database's encoding.
///
/// # Safety
/// A SELECT's result with at least one row must be there: inside `read` of [`Statement::run`].
pub unsafe fn first_row(column: i32) -> Vec<u8> {
    // SAFETY: called while a SELECT's result with at least one row is there.
    unsafe {
        let table = pg_sys::SPI_tuptable;
        let value = pg_sys::SPI_getvalue(*(*table).vals, (*table).tupdesc, column);
        if value.is_null() { Vec::new() } else { CStr::from_ptr(value).to_bytes().to_vec() }
    }
}

/// An event as far as a repeated id is compared with it.
pub struct Found {
    /// Its event_type.
    pub event_type: Vec<u8>,
    /// Its subject_id.
    pub subject_id: Vec<u8>,
}

/// The event of that id, also one that this transaction's snapshot does not show yet.
pub fn find(owner: pg_sys::Oid, id: &Id) -> Option<Found> {
    let find = if archive::exists() { &FIND } else { &FIND_0_1 };
    find.with(|statement| {
        statement.run(owner, Sees::Latest, &mut [id_datum(id)], b" ", |rows| {
            // SAFETY: there is a row.
            (rows > 0).then(|| unsafe { Found { event_type: first_row(1), subject_id: first_row(2) } })
        })
    })
}

/// Whether the id is that of an archived event.
pub fn is_archived(owner: pg_sys::Oid, id: &Id) -> bool {
    IS_ARCHIVED.with(|statement| statement.run(owner, Sees::Latest, &mut [id_datum(id)], b" ", |rows| rows > 0))
}

/// How many events a subject has, not counting beyond `limit`.
pub fn count(owner: pg_sys::Oid, subject_id: &[u8], limit: i64) -> i64 {
    let count = if archive::exists() { &COUNT } else { &COUNT_0_1 };
    count.with(|statement| {
        statement.run(owner, Sees::Latest, &mut [text::datum(subject_id), limit.into()], b"  ", |_| {
            // SAFETY: count gives one row.
            String::from_utf8_lossy(&unsafe { first_row(1) }).parse().unwrap_or(limit)
        })
    })
}

/// Whether a bridge has worked on this very table.
pub fn bridge_has_worked(owner: pg_sys::Oid) -> bool {
    WORKED_ON.with(|statement| statement.run(owner, Sees::Latest, &mut [], b"", |rows| rows > 0))
}

/// Lets no bridge begin before this transaction ends.
pub fn keep_bridge_out(owner: pg_sys::Oid) {
    KEEP_BRIDGE_OUT.with(|statement| statement.run(owner, Sees::Nothing, &mut [], b"", |_| ()));
}
