//! Where each partition stands: what the member believes `lifestream.kafka_offsets` to say.

use std::collections::BTreeMap;

/// The partitions that this member works on, each with the offset of the next record to apply.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Positions(BTreeMap<i32, i64>);

/// What a record's offset means at its partition's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The next one.
    Next,
    /// Records before it are not there (any longer, or they were none that consumers see).
    After {
        /// The offset that was expected.
        expected: i64,
    },
    /// Applied already, or its partition is not this member's: to be dropped.
    Not,
}

impl Positions {
    /// Begins a partition.
    pub fn set(&mut self, partition: i32, next: i64) {
        self.0.insert(partition, next);
    }

    /// The next offset of a partition.
    pub fn next(&self, partition: i32) -> Option<i64> {
        self.0.get(&partition).copied()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (i32, i64)> + '_ {
        self.0.iter().map(|(partition, next)| (*partition, *next))
    }

    /// Places a record.
    pub fn place(&self, partition: i32, offset: i64) -> Place {
        match self.next(partition) {
            Some(next) if offset == next => Place::Next,
            Some(expected) if offset > expected => Place::After { expected },
            _ => Place::Not,
        }
    }

    /// Moves a partition past a record.
    pub fn pass(&mut self, partition: i32, offset: i64) {
        if let Some(next) = self.0.get_mut(&partition) {
            *next = (*next).max(offset + 1);
        }
    }

    /// The partitions whose position differs from an earlier state of the same, with (partition, then, now).
    pub fn moved_since(&self, earlier: &Self) -> Vec<(i32, i64, i64)> {
        let moved =
            |(partition, now)| earlier.next(partition).filter(|then| *then != now).map(|then| (partition, then, now));
        self.iter().filter_map(moved).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_next_or_after_a_gap_or_dropped() {
        let mut positions = Positions::default();
        positions.set(0, 5);
        assert_eq!(positions.place(0, 5), Place::Next);
        assert_eq!(positions.place(0, 4), Place::Not);
        assert_eq!(positions.place(0, 9), Place::After { expected: 5 });
        assert_eq!(positions.place(1, 0), Place::Not);
        let before = positions.clone();
        positions.pass(0, 9);
        positions.pass(1, 3);
        assert_eq!(positions.moved_since(&before), [(0, 5, 10)]);
        positions.pass(0, 2);
        assert_eq!(positions.next(0), Some(10));
    }
}
