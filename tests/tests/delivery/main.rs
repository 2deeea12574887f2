//! From SQL to Kafka, end to end. (Through everything that may go wrong meanwhile: the program `faults`.)
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod bridge;
mod found;
mod nothing;
mod parked;
mod postgres;
mod restored_or_promoted;
mod topic_gone;

use std::collections::HashSet;
use std::time::Duration;

use lifestream_tests::{Database, Kafka, Pipeline, Postgres, eventually};

const SOON: Duration = Duration::from_secs(60);

fn pipeline(test: &str) -> Pipeline<'static> {
    let pipeline = Pipeline::new(test, Postgres::shared(), Kafka::shared());
    pipeline.run(&["init"]);
    pipeline
}

fn unpublished(database: &Database<'_>) -> u64 {
    database.psql("SELECT count(*) FROM lifestream.events WHERE NOT published_to_kafka").parse().unwrap()
}

fn drained(database: &Database<'_>) {
    eventually(SOON, "every event has its flag", || unpublished(database) == 0);
}

fn assert_arrived_in_order(pipeline: &Pipeline<'_>, expected: usize) {
    let events = pipeline.events();
    assert_eq!(events.len(), expected);
    let ids: HashSet<_> = events.iter().map(lifestream_tests::Record::event_id).collect();
    assert_eq!(ids.len(), expected, "an event was sent twice");
    let mut last = std::collections::HashMap::new();
    for event in &events {
        let (seq, partition) = (event.json()["seq"].as_i64().unwrap(), event.partition);
        if let Some((before, same)) = last.insert(event.key().to_owned(), (seq, partition)) {
            assert!(before < seq && same == partition, "subject {} is out of order", event.key());
        }
    }
}
