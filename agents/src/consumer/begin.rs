//! Where a member begins a partition.
//!
//! A committed offset counts only for the topic that it was taken in; that topic's id is kept as the commit's metadata.
//! Of another topic by that name everything is read: what has been done already is known by its derived ids. A partition
//! is done where a member would begin at its end.

/// Where to begin, and what people should know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// Offset of the first record to read.
    pub at: i64,
    /// For the log and for the status, where records are missing.
    pub note: Option<String>,
}

/// Decides, for a partition of `topic` (whose id now is `topic_id`) that holds the offsets `low..high`; `committed` is
/// an offset and its metadata.
pub fn of(topic: &str, topic_id: &str, partition: i32, committed: Option<(i64, &str)>, low: i64, high: i64) -> Begin {
    let Some((next, id)) = committed else { return Begin { at: low, note: None } };
    if !id.is_empty() && id != topic_id {
        let note = format!(
            "work_topic_recreated: topic {topic} is another one (id {topic_id}) than the one that offset {next} of partition {partition} was \
             committed in (id {id}): it was deleted and made again; all that it holds is read, and what that one held \
             beyond may not have been done: once it is known to be, or sent again (`lifestream replay`), SELECT lifestream.accept_finding('work_topic_recreated')"
        );
        return Begin { at: low, note: Some(note) };
    }
    if next > high {
        let note = format!(
            "work_topic_shortened: partition {partition} of topic {topic} ends at offset {high}, before the committed offset {next}: Kafka has \
             lost records; all that it holds is read, and `lifestream replay` sends what it held; then SELECT lifestream.accept_finding('work_topic_shortened')"
        );
        return Begin { at: low, note: Some(note) };
    }
    if next < low {
        let note = format!(
            "work_records_deleted: records {next} to {} of partition {partition} of topic {topic} were deleted before they were read (retention, \
             or by hand); going on at offset {low}; `lifestream replay` sends what they held; then SELECT lifestream.accept_finding('work_records_deleted')",
            low - 1
        );
        return Begin { at: low, note: Some(note) };
    }
    Begin { at: next, note: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_a_silent_skip() {
        for (committed, at, expected) in [
            (None, 3, None),
            (Some((5, "A")), 5, None),
            (Some((3, "A")), 3, None),
            (Some((9, "A")), 9, None),
            // Committed by another client, such as one of Kafka's tools.
            (Some((5, "")), 5, None),
            (Some((5, "B")), 3, Some("was committed in (id B)")),
            (Some((10, "A")), 3, Some("ends at offset 9, before the committed offset 10")),
            (Some((1, "A")), 3, Some("records 1 to 2 of partition 2")),
        ] {
            let begin = of("t", "A", 2, committed, 3, 9);
            assert_eq!(begin.at, at, "{committed:?}");
            match (expected, &begin.note) {
                (None, None) => {}
                (Some(words), Some(note)) => assert!(note.contains(words), "{note}"),
                other => panic!("{committed:?}: {other:?}"),
            }
        }
    }
}
