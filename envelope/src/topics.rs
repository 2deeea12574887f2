//! Kafka topics, named before the prefix (`KAFKA_TOPIC_PREFIX`) is put to them.

/// Every event.
pub const EVENTS_RAW: &str = "events.raw";
/// Known tags, compacted.
pub const TAGS_CATALOG: &str = "tags.catalog";
/// Before a work type's name: its topic.
pub const WORK_PREFIX: &str = "work.";
/// Links to fetch.
pub const WORK_FETCH_LINK: &str = "work.fetch_link";
/// Fetched links to tag and summarise.
pub const WORK_ENRICH_LINK: &str = "work.enrich_link";
/// Enriched links to publish.
pub const WORK_PUBLISH_LINK: &str = "work.publish_link";
/// Work that nobody will try again by itself.
pub const WORK_DEAD_LETTER: &str = "work.dead_letter";

/// Partitions of `events.raw`, and of topics for replays.
pub(crate) const EVENT_PARTITIONS: i32 = 3;
/// Partitions of a work topic.
pub(crate) const WORK_PARTITIONS: i32 = 3;

/// How a topic is created, and what `lifestream init` compares it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name without prefix.
    pub name: &'static str,
    /// Number of partitions.
    pub partitions: i32,
    /// Kafka's names and values of its settings.
    pub config: &'static [(&'static str, &'static str)],
}

/// Records have the broker's time. By their producer's, a broker refuses what a clock that is fast by more than an hour sends, and
/// deletes at once what one sends that is slow by more than the retention. When an event occurred stands in the event.
const BROKERS_TIME: (&str, &str) = ("message.timestamp.type", "LogAppendTime");
/// Settings of `events.raw` and of the work topics.
pub(crate) const SEVEN_DAYS: &[(&str, &str)] =
    &[("cleanup.policy", "delete"), ("retention.ms", "604800000"), BROKERS_TIME];
const THIRTY_DAYS: &[(&str, &str)] = &[("cleanup.policy", "delete"), ("retention.ms", "2592000000"), BROKERS_TIME];
const CATALOG: &[(&str, &str)] =
    &[("cleanup.policy", "compact"), ("min.compaction.lag.ms", "0"), ("segment.ms", "3600000"), BROKERS_TIME];

/// Every topic, in the order in which a newcomer should read them.
pub const TOPICS: &[TopicSpec] = &[
    TopicSpec { name: EVENTS_RAW, partitions: EVENT_PARTITIONS, config: SEVEN_DAYS },
    TopicSpec { name: TAGS_CATALOG, partitions: 1, config: CATALOG },
    TopicSpec { name: WORK_FETCH_LINK, partitions: WORK_PARTITIONS, config: SEVEN_DAYS },
    TopicSpec { name: WORK_ENRICH_LINK, partitions: WORK_PARTITIONS, config: SEVEN_DAYS },
    TopicSpec { name: WORK_PUBLISH_LINK, partitions: WORK_PARTITIONS, config: SEVEN_DAYS },
    TopicSpec { name: WORK_DEAD_LETTER, partitions: 1, config: THIRTY_DAYS },
];
