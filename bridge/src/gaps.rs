//! Numbers that were drawn but not seen: which of them may still be filled, and by whom.
//!
//! `seq` is drawn inside the inserting transaction, so a lower number can become visible after a higher one, or
//! never. Whoever may still fill a gap holds a RowExclusiveLock on `lifestream.events` since before it drew the
//! number, and keeps it until after its rows are visible. So a gap is given up only when every transaction that
//! held the lock *after* the gap was seen has let it go, and one more probe *after that* found nothing.
//!
//! Nothing here talks to a database: [`crate::reader`] does, and feeds what it learned.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use roaring::RoaringTreemap;

/// Gaps younger than this are merely probed with every look: most are transactions about to commit.
pub const YOUNG: Duration = Duration::from_millis(50);
/// While gaps stay open, the locks are looked at no less often than this, and no more often than every [`YOUNG`].
const SLOWEST_LOCK_LOOK: Duration = Duration::from_secs(1);

/// A transaction that holds the lock, as one row of a lock look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// `pg_locks.virtualtransaction`, such as `3/41`; `-1/726` for a prepared one that outlived a restart.
    pub virtual_transaction: String,
    /// False for a prepared transaction.
    pub has_pid: bool,
    /// Its top-level transaction id, with epoch, once it has one.
    pub xid: Option<u64>,
}

/// Gaps that were seen together and wait for the same transactions.
#[derive(Debug)]
struct Cohort {
    seqs: RoaringTreemap,
    owners: Owners,
    /// An owner left unseen since the last probe: its rows may be there, and no gate would tell.
    probe_owed: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Owners {
    /// No lock look has been made since these gaps were seen.
    Unknown,
    /// Those of the first lock look that have not left, with their transaction ids.
    Known(HashMap<String, Option<u64>>),
}

impl Cohort {
    /// The transaction ids of its owners, if all have one: then a snapshot tells whether any is finished,
    /// and as long as none is, there is nothing to probe for.
    fn gate(&self) -> Option<Vec<u64>> {
        match &self.owners {
            Owners::Known(owners) if !owners.is_empty() && !self.probe_owed => owners.values().copied().collect(),
            _ => None,
        }
    }

    fn nobody_left(&self) -> bool {
        matches!(&self.owners, Owners::Known(owners) if owners.is_empty())
    }
}

/// The open gaps below the high mark.
#[derive(Debug)]
pub struct Gaps {
    cohorts: Vec<Cohort>,
    next_lock_look: Option<Instant>,
    pace: Duration,
}

impl Default for Gaps {
    fn default() -> Self {
        Self { cohorts: Vec::new(), next_lock_look: None, pace: YOUNG }
    }
}

impl Gaps {
    /// No gap is open.
    pub fn is_empty(&self) -> bool {
        self.cohorts.is_empty()
    }

    /// Records the numbers that a look passed over.
    pub fn open(&mut self, seqs: RoaringTreemap, now: Instant) {
        if seqs.is_empty() {
            return;
        }
        match self.cohorts.iter_mut().find(|c| c.owners == Owners::Unknown) {
            Some(cohort) => cohort.seqs |= seqs,
            None => self.cohorts.push(Cohort { seqs, owners: Owners::Unknown, probe_owed: false }),
        }
        self.pace = YOUNG;
        self.next_lock_look = Some(self.next_lock_look.map_or(now + YOUNG, |at| at.min(now + YOUNG)));
    }

    /// A row with this number was found; true if it filled a gap.
    pub fn fill(&mut self, seq: u64) -> bool {
        let filled = self.cohorts.iter_mut().any(|c| c.seqs.remove(seq));
        if filled {
            self.cohorts.retain(|c| !c.seqs.is_empty());
        }
        filled
    }

    /// Gaps to probe with this look whatever its snapshot says.
    pub fn ungated(&self) -> RoaringTreemap {
        self.union_of(|c| c.gate().is_none())
    }

    /// (cohort, transaction id) for the cohorts that need no probe while none of those transactions is finished.
    pub fn gates(&self) -> (Vec<i32>, Vec<u64>) {
        let mut cohorts = Vec::new();
        let mut xids = Vec::new();
        for (i, cohort) in (0_i32..).zip(&self.cohorts) {
            for xid in cohort.gate().unwrap_or_default() {
                cohorts.push(i);
                xids.push(xid);
            }
        }
        (cohorts, xids)
    }

    /// A probe for all of [`Gaps::ungated`] has been made since the last lock look.
    pub fn probed(&mut self) {
        for cohort in &mut self.cohorts {
            cohort.probe_owed = false;
        }
    }

    /// The gaps of the cohorts named by [`Gaps::gates`] that turned out to have a finished owner.
    pub fn of_cohorts(&self, cohorts: &HashSet<i32>) -> RoaringTreemap {
        let mut at = -1;
        self.union_of(|_| {
            at += 1;
            cohorts.contains(&at)
        })
    }

    fn union_of(&self, mut wanted: impl FnMut(&Cohort) -> bool) -> RoaringTreemap {
        let mut seqs = RoaringTreemap::new();
        for cohort in self.cohorts.iter().filter(|c| wanted(c)) {
            seqs |= &cohort.seqs;
        }
        seqs
    }

    /// When the locks should be looked at next; `None` while no gap is open.
    pub fn lock_look_due(&self) -> Option<Instant> {
        if self.cohorts.is_empty() { None } else { self.next_lock_look }
    }

    /// Takes in a lock look, made after every gap that is recorded here was seen.
    ///
    /// Returns the gaps that nobody can fill any more, unless the next probe finds them: hand them to
    /// [`Gaps::give_up`] after a probe in a later statement.
    pub fn locks_seen(&mut self, holders: &[Holder], now: Instant) -> RoaringTreemap {
        let present: HashSet<&str> = holders.iter().map(|h| h.virtual_transaction.as_str()).collect();
        // A backend in the midst of its commit or PREPARE shows as `N/0`: it may be any `N/x`.
        let ending: HashSet<&str> = present.iter().filter_map(|v| v.strip_suffix("/0")).collect();
        let still_there = |owner: &str| {
            present.contains(owner) || owner.split_once('/').is_some_and(|(backend, _)| ending.contains(backend))
        };
        for cohort in &mut self.cohorts {
            match &mut cohort.owners {
                Owners::Unknown => {
                    cohort.probe_owed = true;
                    cohort.owners =
                        Owners::Known(holders.iter().map(|h| (h.virtual_transaction.clone(), h.xid)).collect());
                }
                Owners::Known(owners) => {
                    let before = owners.len();
                    owners.retain(|owner, _| still_there(owner));
                    cohort.probe_owed |= owners.len() < before;
                    for holder in holders {
                        match owners.get_mut(&holder.virtual_transaction) {
                            Some(xid) => *xid = holder.xid.or(*xid),
                            // A prepared transaction may have been one of the owners under another name.
                            None if !holder.has_pid => {
                                owners.insert(holder.virtual_transaction.clone(), holder.xid);
                            }
                            None => {}
                        }
                    }
                }
            }
        }
        self.merge_equals();
        self.next_lock_look = Some(now + self.pace);
        self.pace = (self.pace * 2).min(SLOWEST_LOCK_LOOK);
        self.union_of(Cohort::nobody_left)
    }

    /// Gives up what [`Gaps::locks_seen`] returned and a later probe did not find; returns what was given up.
    pub fn give_up(&mut self, orphans: &RoaringTreemap) -> RoaringTreemap {
        let mut given_up = RoaringTreemap::new();
        for cohort in self.cohorts.iter_mut().filter(|c| c.nobody_left()) {
            let gone = &cohort.seqs & orphans;
            cohort.seqs -= &gone;
            given_up |= gone;
        }
        self.cohorts.retain(|c| !c.seqs.is_empty());
        given_up
    }

    /// One cohort for each set of owners, so that their number follows the transactions that are open, not the looks.
    fn merge_equals(&mut self) {
        let mut merged: Vec<Cohort> = Vec::with_capacity(self.cohorts.len());
        for cohort in self.cohorts.drain(..) {
            match merged.iter_mut().find(|c| c.owners == cohort.owners) {
                Some(same) => {
                    same.seqs |= cohort.seqs;
                    same.probe_owed |= cohort.probe_owed;
                }
                None => merged.push(cohort),
            }
        }
        self.cohorts = merged;
    }
}

/// The runs of consecutive numbers in `seqs`, as inclusive bounds.
pub fn runs(seqs: &RoaringTreemap) -> (Vec<i64>, Vec<i64>) {
    let (mut from, mut to): (Vec<i64>, Vec<i64>) = (Vec::new(), Vec::new());
    for seq in seqs {
        let seq = seq.cast_signed();
        match to.last_mut() {
            Some(last) if *last + 1 == seq => *last = seq,
            _ => {
                from.push(seq);
                to.push(seq);
            }
        }
    }
    (from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(seqs: &[u64]) -> RoaringTreemap {
        seqs.iter().copied().collect()
    }

    fn holder(name: &str, xid: Option<u64>) -> Holder {
        Holder { virtual_transaction: name.into(), has_pid: true, xid }
    }

    fn prepared(name: &str, xid: u64) -> Holder {
        Holder { has_pid: false, ..holder(name, Some(xid)) }
    }

    fn opened(seqs: &[u64]) -> Gaps {
        let mut gaps = Gaps::default();
        gaps.open(set(seqs), Instant::now());
        gaps
    }

    #[test]
    fn a_gap_without_holders_is_given_up_only_after_a_probe() {
        let mut gaps = opened(&[5, 6]);
        let orphans = gaps.locks_seen(&[], Instant::now());
        assert_eq!(orphans, set(&[5, 6]));
        // The probe after the lock look finds 6: its transaction became visible before it let its lock go.
        assert!(gaps.fill(6));
        assert_eq!(gaps.give_up(&orphans), set(&[5]));
        assert!(gaps.is_empty());
    }

    #[test]
    fn a_gap_stays_while_a_holder_of_the_first_lock_look_stays() {
        let mut gaps = opened(&[5]);
        assert!(gaps.locks_seen(&[holder("3/41", None), holder("4/7", None)], Instant::now()).is_empty());
        assert!(gaps.locks_seen(&[holder("4/7", None)], Instant::now()).is_empty());
        // 4/8 is a later transaction of the same backend: it drew no number below.
        assert_eq!(gaps.locks_seen(&[holder("4/8", None)], Instant::now()), set(&[5]));
    }

    #[test]
    fn gaps_opened_after_a_lock_look_are_not_given_up_with_it() {
        let mut gaps = opened(&[5]);
        let orphans = gaps.locks_seen(&[], Instant::now());
        gaps.open(set(&[9]), Instant::now());
        assert_eq!(gaps.give_up(&orphans), set(&[5]));
        assert_eq!(gaps.ungated(), set(&[9]));
    }

    #[test]
    fn a_backend_in_the_midst_of_prepare_counts_as_its_transaction() {
        let mut gaps = opened(&[5]);
        gaps.locks_seen(&[holder("3/41", Some(726))], Instant::now());
        assert!(gaps.locks_seen(&[holder("3/0", None)], Instant::now()).is_empty());
        assert!(gaps.locks_seen(&[prepared("3/41", 726)], Instant::now()).is_empty());
        assert_eq!(gaps.locks_seen(&[], Instant::now()), set(&[5]));
    }

    #[test]
    fn a_prepared_transaction_under_a_new_name_joins_every_open_gap() {
        let mut gaps = opened(&[5]);
        gaps.locks_seen(&[holder("3/41", Some(726))], Instant::now());
        assert!(gaps.locks_seen(&[prepared("-1/726", 726)], Instant::now()).is_empty());
        assert_eq!(gaps.locks_seen(&[], Instant::now()), set(&[5]));
    }

    #[test]
    fn a_cohort_is_gated_only_when_every_owner_has_a_transaction_id() {
        let mut gaps = opened(&[5]);
        assert_eq!(gaps.ungated(), set(&[5]));
        gaps.locks_seen(&[holder("3/41", Some(726)), holder("4/7", None)], Instant::now());
        assert_eq!(gaps.ungated(), set(&[5]));
        gaps.locks_seen(&[holder("3/41", Some(726)), holder("4/7", Some(730))], Instant::now());
        gaps.probed();
        assert!(gaps.ungated().is_empty());
        let (cohorts, mut xids) = gaps.gates();
        xids.sort_unstable();
        assert_eq!((cohorts, xids), (vec![0, 0], vec![726, 730]));
        assert_eq!(gaps.of_cohorts(&HashSet::from([0])), set(&[5]));
        assert!(gaps.of_cohorts(&HashSet::new()).is_empty());
    }

    #[test]
    fn an_owner_that_left_between_probe_and_lock_look_owes_a_probe() {
        let mut gaps = opened(&[5, 7]);
        gaps.locks_seen(&[holder("3/41", Some(726)), holder("4/7", Some(730))], Instant::now());
        // Whoever held the lock before the first lock look may have filled a gap since the last probe.
        assert_eq!(gaps.ungated(), set(&[5, 7]));
        gaps.probed();
        assert!(gaps.ungated().is_empty());
        gaps.locks_seen(&[holder("4/7", Some(730))], Instant::now());
        assert_eq!(gaps.ungated(), set(&[5, 7]));
        gaps.probed();
        assert!(gaps.ungated().is_empty());
    }

    #[test]
    fn cohorts_with_the_same_owners_become_one() {
        let mut gaps = opened(&[5]);
        gaps.locks_seen(&[holder("3/41", Some(726))], Instant::now());
        for seq in [7, 9, 11] {
            gaps.open(set(&[seq]), Instant::now());
            gaps.locks_seen(&[holder("3/41", Some(726))], Instant::now());
        }
        assert_eq!(gaps.cohorts.len(), 1);
    }

    #[test]
    fn runs_are_inclusive() {
        assert_eq!(runs(&set(&[1, 2, 3, 7, 9, 10])), (vec![1, 7, 9], vec![3, 7, 10]));
        assert_eq!(runs(&set(&[])), (vec![], vec![]));
    }
}
