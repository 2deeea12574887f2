//! What the executor's functions are called like in each of PostgreSQL's major versions.

use pgrx::pg_sys;

unsafe extern "C-unwind" {
    // From executor/nodeModifyTable.h, which pgrx does not bind.
    #[cfg(feature = "pg13")]
    fn ExecComputeStoredGenerated(
        state: *mut pg_sys::EState,
        slot: *mut pg_sys::TupleTableSlot,
        command: pg_sys::CmdType::Type,
    );
    #[cfg(not(feature = "pg13"))]
    fn ExecComputeStoredGenerated(
        target: *mut pg_sys::ResultRelInfo,
        state: *mut pg_sys::EState,
        slot: *mut pg_sys::TupleTableSlot,
        command: pg_sys::CmdType::Type,
    );
}

/// Lets AFTER triggers find the open table in the state, where they would else open it once more.
///
/// # Safety
/// Both must live until the state is freed.
pub unsafe fn announce(state: *mut pg_sys::EState, target: *mut pg_sys::ResultRelInfo) {
    // SAFETY: both live until the state is freed.
    unsafe {
        #[cfg(not(feature = "pg13"))]
        {
            (*state).es_opened_result_relations = pg_sys::lappend((*state).es_opened_result_relations, target.cast());
        }
        #[cfg(feature = "pg13")]
        {
            (*state).es_result_relations = target;
            (*state).es_num_result_relations = 1;
            (*state).es_result_relation_info = target;
        }
    }
}

/// `ExecInsertIndexTuples`; with `conflict`, insert speculatively, and set it where `arbiters` hold the same key already.
///
/// # Safety
/// The slot must hold a row just inserted into the target, whose indexes are open.
pub unsafe fn insert_index_tuples(
    target: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    state: *mut pg_sys::EState,
    conflict: Option<&mut bool>,
    arbiters: *mut pg_sys::List,
) -> *mut pg_sys::List {
    let speculative = conflict.is_some();
    let conflict = conflict.map_or(std::ptr::null_mut(), std::ptr::from_mut);
    // SAFETY: the slot holds a row just inserted into the target, whose indexes are open.
    unsafe {
        #[cfg(feature = "pg13")]
        {
            let _ = target;
            pg_sys::ExecInsertIndexTuples(slot, state, speculative, conflict, arbiters)
        }
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        {
            pg_sys::ExecInsertIndexTuples(target, slot, state, false, speculative, conflict, arbiters)
        }
        #[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
        {
            pg_sys::ExecInsertIndexTuples(target, slot, state, false, speculative, conflict, arbiters, false)
        }
    }
}

/// Whether none of `arbiters` holds the row's key; waits for a transaction that has just inserted it.
///
/// # Safety
/// The slot must hold a row of the target, whose indexes are open for speculative insertion.
pub unsafe fn check_index(
    target: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    state: *mut pg_sys::EState,
    arbiters: *mut pg_sys::List,
) -> bool {
    let mut there = pg_sys::ItemPointerData::default();
    // SAFETY: the slot holds a row of the target, whose indexes are open for this.
    unsafe {
        #[cfg(feature = "pg13")]
        {
            let _ = target;
            pg_sys::ExecCheckIndexConstraints(slot, state, &mut there, arbiters)
        }
        #[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17"))]
        {
            pg_sys::ExecCheckIndexConstraints(target, slot, state, &mut there, arbiters)
        }
        #[cfg(feature = "pg18")]
        {
            // No block, no position: the row is not in the table yet.
            let mut not_inserted = pg_sys::ItemPointerData {
                ip_blkid: pg_sys::BlockIdData { bi_hi: u16::MAX, bi_lo: u16::MAX },
                ip_posid: 0,
            };
            pg_sys::ExecCheckIndexConstraints(target, slot, state, &mut there, &mut not_inserted, arbiters)
        }
    }
}

/// `ExecComputeStoredGenerated`.
///
/// # Safety
/// The slot must hold a row of the target.
pub unsafe fn compute_generated(
    target: *mut pg_sys::ResultRelInfo,
    state: *mut pg_sys::EState,
    slot: *mut pg_sys::TupleTableSlot,
) {
    let insert = pg_sys::CmdType::CMD_INSERT;
    // SAFETY: the slot holds a row of the target; an error becomes a Rust panic.
    unsafe {
        #[cfg(feature = "pg13")]
        {
            let _ = target;
            pg_sys::ffi::pg_guard_ffi_boundary(|| ExecComputeStoredGenerated(state, slot, insert));
        }
        #[cfg(not(feature = "pg13"))]
        pg_sys::ffi::pg_guard_ffi_boundary(|| ExecComputeStoredGenerated(target, state, slot, insert));
    }
}

/// `ExecEvalExpr`, which is inline in C.
///
/// # Safety
/// The expression must be initialised and without variables.
pub unsafe fn evaluate(
    expression: *mut pg_sys::ExprState,
    context: *mut pg_sys::ExprContext,
    isnull: *mut bool,
) -> pg_sys::Datum {
    // SAFETY: an initialised expression without variables; an error becomes a Rust panic.
    unsafe {
        let before = pg_sys::MemoryContextSwitchTo((*context).ecxt_per_tuple_memory);
        let value = match (*expression).evalfunc {
            Some(evaluate) => pg_sys::ffi::pg_guard_ffi_boundary(|| evaluate(expression, context, isnull)),
            None => pg_sys::Datum::from(0),
        };
        pg_sys::MemoryContextSwitchTo(before);
        value
    }
}
