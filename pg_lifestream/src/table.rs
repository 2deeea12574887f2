//! lifestream.events, opened for emitting.

use pgrx::pg_sys;

use crate::error::Refusal;
use crate::insert::Inserter;
use crate::row::{Column, Row};
use crate::sequence::Drawn;
use crate::{check, sequence};

/// The table, locked for writing until the transaction ends.
pub struct Table {
    relation: pg_sys::Relation,
    inserter: Option<Inserter>,
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
                    let name =
                        pg_sys::makeRangeVar(c"lifestream".as_ptr().cast_mut(), c"events".as_ptr().cast_mut(), -1);
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

    /// Fills and checks the row, draws its number, inserts it.
    pub fn insert(&mut self, row: &mut Row) -> Result<(), Refusal> {
        let (inserter, _drawn) = self.prepare(row)?;
        inserter.insert(row);
        Ok(())
    }

    /// The same for a row whose id may be there already; whether it was inserted.
    pub fn insert_once(&mut self, row: &mut Row) -> Result<bool, Refusal> {
        let (inserter, _drawn) = self.prepare(row)?;
        Ok(inserter.insert_once(row))
    }

    fn prepare(&mut self, row: &mut Row) -> Result<(&mut Inserter, Drawn), Refusal> {
        row.fill_defaults()?;
        check::row(row, false)?;
        let relation = self.relation;
        let inserter = self.inserter.get_or_insert_with(|| Inserter::new(relation));
        let drawn = sequence::draw();
        row.set(Column::Seq, drawn.0.into());
        Ok((inserter, drawn))
    }

    /// A memory context for one row's values; what the row before left in it is freed.
    pub fn fresh_row_context(&mut self) -> pg_sys::MemoryContext {
        let relation = self.relation;
        self.inserter.get_or_insert_with(|| Inserter::new(relation)).fresh_row_context()
    }

    /// Fires what triggers are left to fire, and lets go of all but the lock.
    pub fn close(self) {
        if let Some(inserter) = self.inserter {
            inserter.finish();
        }
        // SAFETY: it was opened by `open`.
        unsafe { pg_sys::table_close(self.relation, pg_sys::NoLock as i32) }
    }
}
