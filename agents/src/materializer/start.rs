//! Where a member begins each partition that it is given, and when it must not.
//!
//! The stored offset counts only for the topic that it was taken in. Of another topic by that name, or of one that has
//! lost its end, nobody can say here which events its records do not hold: the partition stops and says so. Records
//! that retention or somebody deleted before they were applied are another matter: nothing brings them back to the
//! topic, `lifestream.events` has them, so the partition goes on from what is left, and the loss is logged and stays
//! noted in `lifestream.kafka_offsets` (and with it in `lifestream.pipeline_status`). Each note begins with its name.

use super::store::Stored;

/// What to do with a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Never worked on: from its first record.
    Fresh {
        /// Offset of the first record.
        at: i64,
    },
    /// On from where it was left.
    Resume {
        /// The stored offset.
        at: i64,
    },
    /// On from the first record that is left, with a note.
    PassOver {
        /// The stored offset.
        stored: i64,
        /// Offset of the first record that is left.
        at: i64,
        /// For the log and for the status.
        note: String,
    },
    /// Not at all, until a person has decided.
    Stop {
        /// The stored offset.
        stored: i64,
        /// For the log and for the status.
        note: String,
    },
}

/// Another topic by the same name.
const RECREATED: &str = "topic_recreated:";
/// The topic has lost its end. It may grow past the stored offset again: what was stopped stays so.
const SHORTENED: &str = "topic_shortened:";

/// Whether what stopped a partition is no more, now that it can go on. (Records that were passed over stay noted.)
pub fn is_over(stored: &Stored) -> bool {
    stored.error.as_deref().is_some_and(|error| error.starts_with(RECREATED))
}

/// Decides, for a partition of `topic` (whose id now is `topic_id`) that holds the offsets `low..high`.
pub fn of(topic: &str, topic_id: &str, partition: i32, stored: Option<&Stored>, low: i64, high: i64) -> Start {
    let Some(stored) = stored else { return Start::Fresh { at: low } };
    let next = stored.next;
    if let Some(known) = stored.topic_id.as_deref().filter(|known| *known != topic_id) {
        let note = format!(
            "{RECREATED} topic {topic} is another one (id {topic_id}) than the one that offset {next} of partition {partition} was taken in \
             (id {known}): it was deleted and made again, and what it held may not have been applied; nothing is applied from \
             it until `lifestream reset` has everything published and materialized anew"
        );
        return Start::Stop { stored: next, note };
    }
    if let Some(note) = stored.error.as_ref().filter(|error| error.starts_with(SHORTENED)) {
        return Start::Stop { stored: next, note: note.clone() };
    }
    if next > high {
        let note = format!(
            "{SHORTENED} partition {partition} of topic {topic} ends at offset {high}, before the stored offset {next}: Kafka has lost \
             records; nothing is applied from it until `lifestream reset` has everything published and materialized anew"
        );
        return Start::Stop { stored: next, note };
    }
    if next < low {
        let note = format!(
            "records_deleted: records {next} to {} of partition {partition} of topic {topic} were deleted before they were applied (retention, \
             or by hand); going on at offset {low}; their events are in lifestream.events: `lifestream rebuild all` applies them, then \
             SELECT lifestream.accept_finding('records_deleted')",
            low - 1
        );
        return Start::PassOver { stored: next, at: low, note };
    }
    Start::Resume { at: next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_a_silent_skip() {
        let stored =
            |next, id: Option<&str>| Stored { partition: 0, next, topic_id: id.map(str::to_owned), error: None };
        assert_eq!(of("t", "A", 0, None, 3, 9), Start::Fresh { at: 3 });
        assert_eq!(of("t", "A", 0, Some(&stored(5, Some("A"))), 3, 9), Start::Resume { at: 5 });
        assert_eq!(of("t", "A", 0, Some(&stored(9, Some("A"))), 3, 9), Start::Resume { at: 9 });
        assert_eq!(of("t", "A", 0, Some(&stored(5, None)), 3, 9), Start::Resume { at: 5 });
        for (next, id, low, high, expected) in
            [(5, "B", 3, 9, "another one (id A)"), (10, "A", 3, 9, "ends at offset 9, before the stored offset 10")]
        {
            let Start::Stop { note, stored } = of("t", "A", 0, Some(&stored(next, Some(id))), low, high) else {
                panic!("{expected}: went on")
            };
            assert!(note.contains(expected) && note.contains("lifestream reset") && stored == next, "{note}");
        }
        let Start::PassOver { at: 3, stored: 1, note } = of("t", "A", 2, Some(&stored(1, Some("A"))), 3, 9) else {
            panic!("no note")
        };
        assert!(note.contains("records_deleted: records 1 to 2 of partition 2"), "{note}");
        // Grown past the loss, a topic that was cut off looks whole.
        let cut = Stored { error: Some("topic_shortened: it was".to_owned()), ..stored(5, Some("A")) };
        assert!(matches!(of("t", "A", 0, Some(&cut), 3, 9), Start::Stop { stored: 5, .. }) && !is_over(&cut));
        // The settings led elsewhere for a while.
        let back = Stored { error: Some("topic_recreated: it was".to_owned()), ..stored(5, Some("A")) };
        assert!(of("t", "A", 0, Some(&back), 3, 9) == Start::Resume { at: 5 } && is_over(&back));
    }
}
