//! How far each partition is done, where records may be done in any order.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// The partitions that a member works on. What is committed of one is its done prefix: everything before the first
/// record that is not done.
#[derive(Debug, Default)]
pub struct Offsets {
    topic: String,
    topic_id: String,
    partitions: BTreeMap<i32, Partition>,
}

#[derive(Debug)]
struct Partition {
    /// The next record to come.
    next: i64,
    /// What came and is not done yet, with the time when it was written (ms since 1970).
    open: BTreeMap<i64, Option<i64>>,
    /// What Kafka knows, or would begin with again; none after a commit that failed.
    committed: Option<i64>,
    /// How many were done.
    count: u64,
}

impl Partition {
    fn prefix(&self) -> i64 {
        self.open.first_key_value().map_or(self.next, |(offset, _)| *offset)
    }
}

/// Where a partition stands, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its number.
    pub partition: i32,
    /// Offset of the first record that is not done.
    pub done: i64,
    /// When that was written (ms since 1970), if it has come already.
    pub oldest: Option<i64>,
    /// How many records were done since the partition was begun.
    pub count: u64,
}

impl Offsets {
    /// For a topic by its full name.
    pub fn new(topic: &str) -> Self {
        Self { topic: topic.to_owned(), ..Self::default() }
    }

    /// From here on offsets are those of the topic with this id; what is known of another one is forgotten.
    pub fn of_topic(&mut self, id: &str) {
        if self.topic_id != id {
            self.partitions.clear();
            id.clone_into(&mut self.topic_id);
        }
    }

    /// Begins a partition at this offset, anew.
    pub fn begin(&mut self, partition: i32, at: i64) {
        let committed = Some(at);
        self.partitions.insert(partition, Partition { next: at, open: BTreeMap::new(), committed, count: 0 });
    }

    /// Forgets the partitions that are not among these.
    pub fn retain(&mut self, partitions: &[i32]) {
        self.partitions.retain(|partition, _| partitions.contains(partition));
    }

    /// Offset of the next record to come of a partition that is known.
    pub fn next(&self, partition: i32) -> Option<i64> {
        self.partitions.get(&partition).map(|known| known.next)
    }

    /// A record has come. It is to be passed over where this is false: it came before, or is not this member's.
    pub fn receive(&mut self, partition: i32, offset: i64, written: Option<i64>) -> bool {
        let Some(known) = self.partitions.get_mut(&partition).filter(|known| offset >= known.next) else {
            return false;
        };
        known.next = offset + 1;
        known.open.insert(offset, written);
        true
    }

    /// A record is done.
    pub fn done(&mut self, partition: i32, offset: i64) {
        if let Some(known) = self.partitions.get_mut(&partition)
            && known.open.remove(&offset).is_some()
        {
            known.count += 1;
        }
    }

    /// Whether a record of some partition is not done.
    pub fn is_open(&self) -> bool {
        self.partitions.values().any(|known| !known.open.is_empty())
    }

    /// What Kafka does not know yet, with the topic's id as metadata; taken as known from here on.
    pub fn to_commit(&mut self) -> Option<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (partition, known) in &mut self.partitions {
            let done = known.prefix();
            if known.committed == Some(done) {
                continue;
            }
            let mut element = list.add_partition(&self.topic, *partition);
            // An offset from a record or from Kafka itself, never one of its special negative values.
            if element.set_offset(Offset::Offset(done)).is_ok() {
                element.set_metadata(&self.topic_id);
                known.committed = Some(done);
            }
        }
        (list.count() > 0).then_some(list)
    }

    /// A commit failed: everything is to be committed again.
    pub fn uncommitted(&mut self) {
        for known in self.partitions.values_mut() {
            known.committed = None;
        }
    }

    /// Where each partition stands.
    pub fn standing(&self) -> Vec<Standing> {
        let of = |(partition, known): (&i32, &Partition)| Standing {
            partition: *partition,
            done: known.prefix(),
            oldest: known.open.first_key_value().and_then(|(_, written)| *written),
            count: known.count,
        };
        self.partitions.iter().map(of).collect()
    }
}

/// Nothing here panics half way through a change.
pub(super) fn lock(offsets: &Mutex<Offsets>) -> MutexGuard<'_, Offsets> {
    offsets.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn committed(offsets: &mut Offsets) -> Vec<(i32, i64, String)> {
        let list = offsets.to_commit().unwrap_or_default();
        let read = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            (element.partition(), element.offset().to_raw().unwrap_or(-1), element.metadata().to_owned())
        };
        list.elements().iter().map(read).collect()
    }

    #[test]
    fn a_repeat_or_another_members_record_is_passed_over() {
        let mut offsets = Offsets::new("t");
        offsets.of_topic("A");
        offsets.begin(0, 5);
        assert!(!offsets.receive(0, 4, None) && !offsets.receive(1, 9, None));
        assert!(offsets.receive(0, 5, None) && !offsets.receive(0, 5, None));
        assert_eq!(committed(&mut offsets), []);
        offsets.done(1, 9);
        offsets.done(0, 5);
        assert_eq!(committed(&mut offsets), [(0, 6, "A".to_owned())]);
        assert_eq!(committed(&mut offsets), []);
        offsets.uncommitted();
        assert_eq!(committed(&mut offsets).len(), 1);
        offsets.retain(&[1]);
        assert_eq!(offsets.next(0), None);
    }

    #[test]
    fn another_topic_by_the_same_name_shares_no_offsets() {
        let mut offsets = Offsets::new("t");
        offsets.of_topic("A");
        offsets.begin(0, 5);
        offsets.of_topic("A");
        assert_eq!(offsets.next(0), Some(5));
        offsets.of_topic("B");
        assert_eq!(offsets.next(0), None);
    }

    proptest! {
        /// Whatever is done in whatever order, with gaps between offsets: no record is committed past that is not done,
        /// and once all are done everything is committed.
        #[test]
        fn nothing_is_committed_past_that_is_not_done(
            gaps in prop::collection::vec(1_i64..4, 1..40),
            order in prop::collection::vec(any::<prop::sample::Index>(), 40),
        ) {
            let mut offsets = Offsets::new("t");
            offsets.begin(0, 0);
            let mut open: Vec<i64> = gaps.iter().scan(-1, |at, gap| { *at += gap; Some(*at) }).collect();
            let end = open.last().copied().unwrap_or_default() + 1;
            for offset in &open {
                prop_assert!(offsets.receive(0, *offset, Some(*offset)));
            }
            let mut order = order.iter();
            while let Some(next) = order.next().filter(|_| !open.is_empty()) {
                let offset = open.swap_remove(next.index(open.len()));
                offsets.done(0, offset);
                let standing = offsets.standing();
                prop_assert_eq!(standing[0].done, open.iter().min().copied().unwrap_or(end));
                prop_assert_eq!(standing[0].oldest, open.iter().min().copied());
                for (_, at, _) in committed(&mut offsets) {
                    prop_assert!(open.iter().all(|offset| *offset >= at));
                }
            }
            prop_assert_eq!(offsets.standing()[0].done == end, open.is_empty());
        }
    }
}
