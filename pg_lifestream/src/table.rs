//! Inserts rows into the open events table without planning a statement, as PostgreSQL's apply workers do: triggers,
//! constraints and indexes as with an INSERT, at a fraction of its overhead for one row.

use pgrx::pg_sys;

use crate::error::Refusal;
use crate::row::{COLUMNS, Column, Row};
use crate::{check, sequence};

/// lifestream.events, locked for writing until the transaction ends.
pub struct Table {
    relation: pg_sys::Relation,
    inserter: Option<Inserter>,
}

/// What inserting needs, made for the first row.
struct Inserter {
    state: *mut pg_sys::EState,
    target: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
}

impl Table {
    /// Opens and locks it: before any number is drawn, for the lock is what tells the bridge who may still fill a gap.
    pub fn open() -> Result<Self, Refusal> {
        // SAFETY: an error of these calls becomes a Rust panic; the relation is closed by `close` or by the abort.
        unsafe {
            pg_sys::PreventCommandIfReadOnly(c"emit_event()".as_ptr());
            pg_sys::PreventCommandIfParallelMode(c"emit_event()".as_ptr());
            let lock = pg_sys::RowExclusiveLock as i32;
            let relation = match sequence::known() {
                Some(oid) => pg_sys::table_open(oid, lock),
                None => {
                    let name = pg_sys::makeRangeVar(c"lifestream".as_ptr().cast_mut(), c"events".as_ptr().cast_mut(), -1);
                    pg_sys::table_openrv(name, lock)
                }
            };
            sequence::learn(relation)?;
            Ok(Self { relation, inserter: None })
        }
    }

    /// Its owner.
    pub fn owner(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open.
        unsafe { (*(*self.relation).rd_rel).relowner }
    }

    /// Whether it has the extension's columns only: a column that its owner added may have a default, which `insert`
    /// would not evaluate.
    pub fn is_plain(&self) -> bool {
        // SAFETY: the relation is open.
        unsafe { (*(*self.relation).rd_att).natts as usize == COLUMNS }
    }

    /// Fills and checks the row, draws its number, inserts it.
    pub fn insert(&mut self, row: &mut Row) -> Result<(), Refusal> {
        row.fill_defaults()?;
        check::row(row, false)?;
        let inserter = self.inserter.get_or_insert_with(|| Inserter::new(self.relation));
        row.set(Column::Seq, sequence::draw().into());
        // SAFETY: the slot is the relation's, with as many columns as the row; its datums outlive the call.
        unsafe {
            let slot = inserter.slot;
            clear(slot);
            std::ptr::copy_nonoverlapping(row.values.as_ptr(), (*slot).tts_values, COLUMNS);
            std::ptr::copy_nonoverlapping(row.nulls.as_ptr(), (*slot).tts_isnull, COLUMNS);
            pg_sys::ExecStoreVirtualTuple(slot);
            inserter.insert();
        }
        Ok(())
    }

    /// A memory context for one row's values; what the row before left in it is freed.
    pub fn fresh_row_context(&mut self) -> pg_sys::MemoryContext {
        let inserter = self.inserter.get_or_insert_with(|| Inserter::new(self.relation));
        // SAFETY: the state lives as long as the inserter.
        unsafe {
            if (*inserter.state).es_per_tuple_exprcontext.is_null() {
                pg_sys::MakePerTupleExprContext(inserter.state);
            }
            let context = (*(*inserter.state).es_per_tuple_exprcontext).ecxt_per_tuple_memory;
            clear(inserter.slot);
            pg_sys::MemoryContextReset(context);
            context
        }
    }

    /// Fires what AFTER triggers users have added, and lets go of all but the lock.
    pub fn close(self) {
        // SAFETY: each was made by `open` or `Inserter::new` and is not used again.
        unsafe {
            if let Some(Inserter { state, target, slot }) = self.inserter {
                pg_sys::AfterTriggerEndQuery(state);
                pg_sys::ExecCloseIndices(target);
                pg_sys::ExecDropSingleTupleTableSlot(slot);
                pg_sys::ExecResetTupleTable((*state).es_tupleTable, false);
                pg_sys::FreeExecutorState(state);
            }
            pg_sys::table_close(self.relation, pg_sys::NoLock as i32);
        }
    }
}

impl Inserter {
    fn new(relation: pg_sys::Relation) -> Self {
        // SAFETY: the relation is open and locked for writing; an error of these calls becomes a Rust panic.
        unsafe {
            let state = pg_sys::CreateExecutorState();
            let context = pg_sys::MemoryContextSwitchTo((*state).es_query_cxt);
            let target = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            (*target).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            pg_sys::InitResultRelInfo(target, relation, 0, std::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(target, false);
            announce(state, target);
            let slot = pg_sys::table_slot_create(relation, std::ptr::null_mut());
            (*state).es_snapshot = pg_sys::GetActiveSnapshot();
            (*state).es_output_cid = pg_sys::GetCurrentCommandId(true);
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::AfterTriggerBeginQuery();
            Self { state, target, slot }
        }
    }

    #[cfg(not(feature = "pg13"))]
    unsafe fn insert(&self) {
        // SAFETY: the slot holds a row of the target.
        unsafe { pg_sys::ExecSimpleRelationInsert(self.target, self.state, self.slot) }
    }

    #[cfg(feature = "pg13")]
    unsafe fn insert(&self) {
        // SAFETY: the slot holds a row of the target.
        unsafe {
            (*self.state).es_result_relation_info = self.target;
            pg_sys::ExecSimpleRelationInsert(self.state, self.slot)
        }
    }
}

/// Lets AFTER triggers find the open table in the state, where they would else open it once more.
#[cfg(not(feature = "pg13"))]
unsafe fn announce(state: *mut pg_sys::EState, target: *mut pg_sys::ResultRelInfo) {
    // SAFETY: both live until the state is freed; the list is made in the state's own context.
    unsafe {
        (*state).es_opened_result_relations =
            pg_sys::lappend((*state).es_opened_result_relations, target.cast());
    }
}

/// The same, for a version whose state holds an array of them.
#[cfg(feature = "pg13")]
unsafe fn announce(state: *mut pg_sys::EState, target: *mut pg_sys::ResultRelInfo) {
    // SAFETY: both live until the state is freed.
    unsafe {
        (*state).es_result_relations = target;
        (*state).es_num_result_relations = 1;
    }
}

/// `ExecClearTuple`, which is inline in C.
///
/// # Safety
/// The slot must be valid.
unsafe fn clear(slot: *mut pg_sys::TupleTableSlot) {
    // SAFETY: every slot has the operations of its kind.
    unsafe {
        if let Some(clear) = (*(*slot).tts_ops).clear {
            clear(slot);
        }
    }
}
