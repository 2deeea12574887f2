//! Kafka consumer groups, named before the prefix (`KAFKA_TOPIC_PREFIX`) is put to them.
//!
//! A group's name carries a version: a bumped one starts at the earliest retained record and works on all of it anew.

/// Turns facts into work.
pub const ROUTER: &str = "router-v1";
/// Applies events to the state tables.
pub const MATERIALIZER: &str = "materializer-v1";
/// Fetches links.
pub const FETCHER: &str = "fetcher-agent-v2";
/// Tags and summarises.
pub const ENRICHER: &str = "enricher-agent-v2";
/// Publishes the feed.
pub const PUBLISHER: &str = "publisher-agent-v2";
