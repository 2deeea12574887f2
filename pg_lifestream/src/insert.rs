//! Inserts rows into the open events table without planning a statement, as PostgreSQL's apply workers and COPY do:
//! triggers, defaults, constraints and indexes as with an INSERT, at a fraction of its overhead for one row.
//!
//! Triggers that users have added run as the caller, as they do for the caller's own INSERT.

use pgrx::{PgTupleDesc, pg_sys};

use crate::row::{COLUMNS, Column, Row};
use crate::version;

/// What inserting needs, made for the first row.
pub struct Inserter {
    relation: pg_sys::Relation,
    state: *mut pg_sys::EState,
    target: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    /// For AFTER triggers with transition tables.
    capture: *mut pg_sys::TransitionCaptureState,
    /// Defaults of columns that the owner has added: index and expression.
    defaults: Vec<(usize, *mut pg_sys::ExprState)>,
    /// Indexes are open; whether for `insert_once` too.
    indexes: Option<bool>,
    /// The primary key's index, as a list.
    primary_key: *mut pg_sys::List,
}

impl Inserter {
    /// The relation must be open and locked for writing, until `finish`.
    pub fn new(relation: pg_sys::Relation) -> Self {
        // SAFETY: see above; an error of these calls becomes a Rust panic, and the abort frees what was made.
        unsafe {
            let state = pg_sys::CreateExecutorState();
            let context = pg_sys::MemoryContextSwitchTo((*state).es_query_cxt);
            let target = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            (*target).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            pg_sys::InitResultRelInfo(target, relation, 0, std::ptr::null_mut(), 0);
            version::announce(state, target);
            let slot = pg_sys::table_slot_create(relation, std::ptr::null_mut());
            (*state).es_snapshot = pg_sys::GetActiveSnapshot();
            (*state).es_output_cid = pg_sys::GetCurrentCommandId(true);
            if (*state).es_per_tuple_exprcontext.is_null() {
                pg_sys::MakePerTupleExprContext(state);
            }
            let defaults = added_defaults(relation);
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::AfterTriggerBeginQuery();
            let capture = pg_sys::MakeTransitionCaptureState(
                (*target).ri_TrigDesc,
                (*relation).rd_id,
                pg_sys::CmdType::CMD_INSERT,
            );
            pg_sys::ExecBSInsertTriggers(state, target);
            let primary_key = std::ptr::null_mut();
            Self { relation, state, target, slot, capture, defaults, indexes: None, primary_key }
        }
    }

    /// A memory context for one row's values; what the row before left in it is freed.
    pub fn fresh_row_context(&self) -> pg_sys::MemoryContext {
        // SAFETY: state and slot live as long as the inserter; the slot lets go of the row before.
        unsafe {
            let context = (*(*self.state).es_per_tuple_exprcontext).ecxt_per_tuple_memory;
            clear(self.slot);
            pg_sys::MemoryContextReset(context);
            context
        }
    }

    /// Inserts the row; a number or id that is there already is an error.
    pub fn insert(&mut self, row: &Row) {
        self.open_indexes(false);
        // SAFETY: the slot holds a row of the relation, and all the others are its.
        unsafe {
            if !self.store(row) {
                return;
            }
            pg_sys::simple_table_tuple_insert(self.relation, self.slot);
            let recheck = version::insert_index_tuples(self.target, self.slot, self.state, None, std::ptr::null_mut());
            pg_sys::ExecARInsertTriggers(self.state, self.target, self.slot, recheck, self.capture);
        }
    }

    /// Inserts the row unless its id is there already, and waits for a concurrent transaction that inserts the same.
    /// The steps are those of ON CONFLICT (id) DO NOTHING. Whether it was inserted.
    pub fn insert_once(&mut self, row: &Row) -> bool {
        self.open_indexes(true);
        // SAFETY: as above. A tuple inserted speculatively is either completed or killed.
        unsafe {
            if !self.store(row) {
                return true;
            }
            loop {
                pgrx::check_for_interrupts!();
                if !version::check_index(self.target, self.slot, self.state, self.primary_key) {
                    return false;
                }
                let xid = pg_sys::GetCurrentTransactionId();
                let token = pg_sys::SpeculativeInsertionLockAcquire(xid);
                self.insert_speculatively(token);
                let mut conflict = false;
                let recheck = version::insert_index_tuples(
                    self.target,
                    self.slot,
                    self.state,
                    Some(&mut conflict),
                    self.primary_key,
                );
                self.complete_speculatively(token, !conflict);
                pg_sys::SpeculativeInsertionLockRelease(xid);
                if !conflict {
                    pg_sys::ExecARInsertTriggers(self.state, self.target, self.slot, recheck, self.capture);
                    return true;
                }
            }
        }
    }

    /// Fires the statement's and the AFTER triggers, and frees all.
    pub fn finish(self) {
        // SAFETY: each was made by `new` and is not used again.
        unsafe {
            pg_sys::ExecASInsertTriggers(self.state, self.target, self.capture);
            pg_sys::AfterTriggerEndQuery(self.state);
            if self.indexes.is_some() {
                pg_sys::ExecCloseIndices(self.target);
            }
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::ExecResetTupleTable((*self.state).es_tupleTable, false);
            pg_sys::FreeExecutorState(self.state);
        }
    }

    /// Puts the row into the slot and fires BEFORE triggers; false if one of the user's triggers drops the row.
    unsafe fn store(&self, row: &Row) -> bool {
        // SAFETY: the slot has the relation's columns, of which a row holds the first COLUMNS.
        unsafe {
            let (slot, constraints) = (self.slot, (*(*self.relation).rd_att).constr);
            clear(slot);
            let columns = (*(*self.relation).rd_att).natts as usize;
            std::slice::from_raw_parts_mut((*slot).tts_isnull, columns).fill(true);
            std::ptr::copy_nonoverlapping(row.values.as_ptr(), (*slot).tts_values, COLUMNS);
            std::ptr::copy_nonoverlapping(row.nulls.as_ptr(), (*slot).tts_isnull, COLUMNS);
            for (index, default) in &self.defaults {
                let isnull = (*slot).tts_isnull.add(*index);
                *(*slot).tts_values.add(*index) =
                    version::evaluate(*default, (*self.state).es_per_tuple_exprcontext, isnull);
            }
            pg_sys::ExecStoreVirtualTuple(slot);
            let triggers = (*self.target).ri_TrigDesc;
            if !triggers.is_null()
                && (*triggers).trig_insert_before_row
                && !pg_sys::ExecBRInsertTriggers(self.state, self.target, slot)
            {
                return false;
            }
            (*slot).tts_tableOid = (*self.relation).rd_id;
            if !constraints.is_null() {
                if (*constraints).has_generated_stored {
                    version::compute_generated(self.target, self.state, slot);
                }
                pg_sys::ExecConstraints(self.target, slot, self.state);
            }
            true
        }
    }

    fn open_indexes(&mut self, once: bool) {
        if self.indexes.is_some_and(|open| open || !once) {
            return;
        }
        // SAFETY: target and state live as long as the inserter.
        unsafe {
            let context = pg_sys::MemoryContextSwitchTo((*self.state).es_query_cxt);
            if self.indexes.is_some() {
                pg_sys::ExecCloseIndices(self.target);
            }
            pg_sys::ExecOpenIndices(self.target, once);
            if once {
                self.primary_key = primary_key(self.target);
            }
            pg_sys::MemoryContextSwitchTo(context);
        }
        self.indexes = Some(once);
    }

    unsafe fn insert_speculatively(&self, token: u32) {
        // SAFETY: what table_tuple_insert_speculative does, which is inline in C; an error becomes a Rust panic.
        unsafe {
            let command = pg_sys::GetCurrentCommandId(true);
            if let Some(insert) = (*(*self.relation).rd_tableam).tuple_insert_speculative {
                pg_sys::ffi::pg_guard_ffi_boundary(|| {
                    insert(self.relation, self.slot, command, 0, std::ptr::null_mut(), token);
                });
            }
        }
    }

    unsafe fn complete_speculatively(&self, token: u32, succeeded: bool) {
        // SAFETY: what table_tuple_complete_speculative does, which is inline in C; an error becomes a Rust panic.
        unsafe {
            if let Some(complete) = (*(*self.relation).rd_tableam).tuple_complete_speculative {
                pg_sys::ffi::pg_guard_ffi_boundary(|| complete(self.relation, self.slot, token, succeeded));
            }
        }
    }
}

/// Defaults of the columns behind the extension's own.
unsafe fn added_defaults(relation: pg_sys::Relation) -> Vec<(usize, *mut pg_sys::ExprState)> {
    // SAFETY: the relation is open; the descriptor lives as long.
    unsafe {
        let descriptor = PgTupleDesc::from_pg_unchecked((*relation).rd_att);
        let added = (COLUMNS..descriptor.len()).filter(|index| {
            descriptor.get(*index).is_some_and(|column| !column.attisdropped && column.attgenerated == 0)
        });
        added
            .filter_map(|index| {
                let default = pg_sys::build_column_default(relation, index as i32 + 1);
                (!default.is_null()).then(|| {
                    let planned = pg_sys::expression_planner(default.cast());
                    (index, pg_sys::ExecInitExpr(planned, std::ptr::null_mut()))
                })
            })
            .collect()
    }
}

/// The oid of the unique index on id alone, as a list.
unsafe fn primary_key(target: *mut pg_sys::ResultRelInfo) -> *mut pg_sys::List {
    // SAFETY: the target's indexes are open.
    unsafe {
        for index in 0..(*target).ri_NumIndices as usize {
            let info = *(*target).ri_IndexRelationInfo.add(index);
            let on_id = (*info).ii_IndexAttrNumbers[0] == Column::Id as i16 + 1 && (*info).ii_NumIndexKeyAttrs == 1;
            if (*info).ii_Unique && on_id && (*info).ii_Predicate.is_null() {
                let oid = (**(*target).ri_IndexRelationDescs.add(index)).rd_id;
                return pg_sys::lappend_oid(std::ptr::null_mut(), oid);
            }
        }
    }
    pgrx::error!("lifestream.events has no unique index on id")
}

/// `ExecClearTuple`, which is inline in C.
unsafe fn clear(slot: *mut pg_sys::TupleTableSlot) {
    // SAFETY: every slot has the operations of its kind; an error becomes a Rust panic.
    unsafe {
        if let Some(clear) = (*(*slot).tts_ops).clear {
            pg_sys::ffi::pg_guard_ffi_boundary(|| clear(slot));
        }
    }
}
