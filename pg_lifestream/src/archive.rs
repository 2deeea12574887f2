//! Events that are moved to `lifestream.events_archive`, and back: the one way past [`crate::append_only`], and what keeps an id
//! from being used twice meanwhile.
//!
//! The unique index that makes an id unique is that of one table. So whoever emits with an id of their own holds the id's
//! bucket, shared, until the transaction ends, and looks into both tables under it; who moves events takes the buckets for
//! itself, without waiting: events of a bucket that is in use are left for the next time.

use std::cell::Cell;

use pgrx::{direct_function_call, pg_sys};

use crate::entry::{Answer, arguments};
use crate::error::Refusal;
use crate::id::Id;
use crate::plan::{Sees, Statement};
use crate::table::Table;

/// The first key of the buckets' advisory locks, so that they are nobody else's: "arch" in ASCII. `sql/events/move_to_archive.sql`
/// takes the same.
const SPACE: i32 = 0x6172_6368;
/// How many buckets there are.
const BUCKETS: u8 = 64;

thread_local! {
    static MOVING: Cell<bool> = const { Cell::new(false) };
    static ARCHIVE: Statement = const { Statement::new(
        c"SELECT lifestream.move_to_archive($1, $2, $3)",
        &[pg_sys::BuiltinOid::INT8OID, pg_sys::BuiltinOid::INT8OID, pg_sys::BuiltinOid::TIMESTAMPTZOID],
    ) };
    static UNARCHIVE: Statement = const { Statement::new(
        c"SELECT lifestream.move_from_archive($1)",
        &[pg_sys::BuiltinOid::INT4OID],
    ) };
}

/// Whether events are being moved: then, and only then, they may leave their table.
pub fn is_moving() -> bool {
    MOVING.get()
}

/// What the guard of append-only does where it is no trigger's: `sql/events/archive_batch.sql`, `sql/events/unarchive_batch.sql`. One C
/// symbol for both sides, and an old one: where the library is preloaded, the server has that of before an update until it is
/// restarted, and could not make functions of symbols that it lacks. That library refuses these calls.
///
/// # Safety
/// `fcinfo` must be the running call's.
pub unsafe fn move_batch(fcinfo: pg_sys::FunctionCallInfo) -> Answer {
    // SAFETY: fcinfo is the running call's.
    match unsafe { arguments(fcinfo) } {
        [after, last, before] => move_events(&ARCHIVE, &mut [after.value, last.value, before.value]),
        [batch] => move_events(&UNARCHIVE, &mut [batch.value]),
        _ => Err(Refusal::NotOurTrigger { function: "refuse_change" }),
    }
}

/// Both functions are strict, so that no value is NULL; both statements answer with a bigint, the number of events moved.
fn move_events(statement: &'static std::thread::LocalKey<Statement>, values: &mut [pg_sys::Datum]) -> Answer {
    /// Ends the move however it ends: an error passes as a panic.
    struct Moving;
    impl Drop for Moving {
        fn drop(&mut self) {
            MOVING.set(false);
        }
    }
    let table = Table::open()?;
    let owner = table.owner();
    table.close();
    let nulls = vec![b' '; values.len()];
    let moving = Moving;
    MOVING.set(true);
    let moved = statement.with(|statement| {
        statement.run(owner, Sees::Nothing, values, &nulls, |_| {
            // SAFETY: the statement gives one row.
            String::from_utf8_lossy(&unsafe { crate::plan::first_row(1) }).parse().unwrap_or(0_i64)
        })
    });
    drop(moving);
    Ok(Some(moved.into()))
}

/// Whether the schema has an archive: that of version 0.1.0 has none, and its sessions may have this library already.
pub fn exists() -> bool {
    // SAFETY: look-ups in the catalogue; names are C strings.
    unsafe {
        let namespace = pg_sys::get_namespace_oid(c"lifestream".as_ptr(), true);
        namespace != pg_sys::InvalidOid
            && pg_sys::get_relname_relid(c"events_archive".as_ptr(), namespace) != pg_sys::InvalidOid
    }
}

/// From here to the end of the transaction no event of this id is moved; waits where one is being moved just now.
pub fn hold(id: &Id) {
    if exists() {
        let bucket = i32::from(id[15] % BUCKETS);
        // SAFETY: the lock takes two integers.
        unsafe {
            direct_function_call::<()>(
                pg_sys::pg_advisory_xact_lock_shared_int4,
                &[Some(SPACE.into()), Some(bucket.into())],
            );
        }
    }
}

/// With an id that the caller gives: held, and not that of an archived event.
pub fn refuse_archived(id: Id, owner: pg_sys::Oid) -> Result<(), Refusal> {
    hold(&id);
    if exists() && crate::plan::is_archived(owner, &id) { Err(Refusal::IdArchived { id }) } else { Ok(()) }
}
