//! `lifestream replay`: a range of events sent again, to a topic of one's own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use lifestream_tests::{Finished, Kafka, Pipeline, Postgres, Program, Record, eventually};

const SOON: Duration = Duration::from_secs(60);

fn pipeline(test: &str) -> Pipeline<'static> {
    let pipeline = Pipeline::new(test, Postgres::shared(), Kafka::shared());
    pipeline.run(&["init"]);
    pipeline
}

fn replay(pipeline: &Pipeline<'_>, arguments: &[&str]) -> Finished {
    let arguments: Vec<_> = ["replay"].into_iter().chain(arguments.iter().copied()).collect();
    Program::run_with(&arguments, &pipeline.environment(), b"")
}

fn seqs(records: &[Record]) -> Vec<i64> {
    let mut seqs: Vec<_> = records.iter().map(|record| record.json()["seq"].as_i64().unwrap()).collect();
    seqs.sort_unstable();
    seqs
}

/// Numbers 1 to 6: notes but for the last two, subjects a and b by turns, an hour between each and the next.
fn emit_six(pipeline: &Pipeline<'_>) {
    pipeline.database.psql(
        "INSERT INTO lifestream.events (received_at, source, subject, subject_id, event_type, payload, headers) \
         SELECT '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 hour', 'tests', 'note', CASE WHEN n % 2 = 1 THEN 'a' ELSE 'b' END, \
                CASE WHEN n < 5 THEN 'note.created' ELSE 'note%changed' END, '{\"n\": 1.50}', '{\"mine\": \"x\"}' \
         FROM generate_series(1, 6) AS n",
    );
}

#[test]
fn records_are_those_of_the_bridge_and_one_header_says_that_they_are_repeats() {
    let pipeline = pipeline("rp_records");
    emit_six(&pipeline);
    pipeline.run(&["bridge", "--until-idle"]);
    let finished = replay(&pipeline, &["--topic", "again"]);
    assert!(finished.status.success(), "{}", finished.stderr);
    assert_eq!(finished.stdout, format!("6 events sent to {}again\n", pipeline.prefix));
    assert!(finished.stderr.contains("again: created"), "{}", finished.stderr);
    let told = |records: Vec<Record>| {
        let mut told: Vec<_> = records
            .into_iter()
            .map(|mut record| {
                record.headers.retain(|(name, _)| name != "lifestream_replayed_at");
                (record.partition, record.key, record.value, record.headers)
            })
            .collect();
        told.sort();
        told
    };
    let again = pipeline.records("again");
    for record in &again {
        record.header("lifestream_replayed_at").unwrap().parse::<jiff::Timestamp>().unwrap();
    }
    assert_eq!(told(again), told(pipeline.events()));
    // Once more, to a topic that is there.
    let finished = replay(&pipeline, &["--topic", "again"]);
    assert!(finished.status.success() && !finished.stderr.contains("created"), "{}", finished.stderr);
    let records = pipeline.records("again");
    assert_eq!(seqs(&records), [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
    for subject in ["a", "b"] {
        let of_subject: Vec<_> = records.iter().filter(|record| record.key() == subject).collect();
        let order: Vec<_> = of_subject.iter().map(|record| record.json()["seq"].as_i64().unwrap()).collect();
        assert!(order[..3].is_sorted() && order[3..].is_sorted(), "{order:?}");
    }
}

#[test]
fn a_range_is_chosen_by_number_time_type_and_subject() {
    let pipeline = pipeline("rp_range");
    emit_six(&pipeline);
    let cases: [(&[&str], &[i64]); 8] = [
        (&["--from", "3"], &[3, 4, 5, 6]),
        (&["--from", "2", "--to", "4"], &[2, 3]),
        (&["--from", "2026-01-01T02:00:00Z", "--to", "2026-01-01T04:00:00Z"], &[2, 3]),
        (&["--from", "2026-01-01T05:00:00+02:00", "--to", "5"], &[3, 4]),
        (&["--type", "note.*"], &[1, 2, 3, 4]),
        (&["--type", "note%changed", "--subject-id", "a"], &[5]),
        (&["--type", "note.created", "--type", "note%*", "--subject", "note"], &[1, 2, 3, 4, 5, 6]),
        (&["--subject", "other"], &[]),
    ];
    for (number, (arguments, expected)) in cases.into_iter().enumerate() {
        let topic = format!("case.{number}");
        let arguments: Vec<_> = arguments.iter().copied().chain(["--topic", &topic]).collect();
        let dry: Vec<_> = arguments.iter().copied().chain(["--dry-run"]).collect();
        let told = replay(&pipeline, &dry);
        assert_eq!(told.stdout, format!("{} events would be sent to {topic}\n", expected.len()), "{}", told.stderr);
        assert!(pipeline.records(&topic).is_empty());
        let sent = replay(&pipeline, &arguments);
        assert!(sent.status.success(), "{}", sent.stderr);
        assert_eq!(seqs(&pipeline.records(&topic)), expected, "{arguments:?}");
    }
}

#[test]
fn topics_that_are_not_for_it_are_refused_and_events_raw_must_be_insisted_on() {
    let pipeline = pipeline("rp_topics");
    emit_six(&pipeline);
    pipeline.settle();
    let refused = replay(&pipeline, &["--topic", "events.raw"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    let refused = replay(&pipeline, &["--topic", "work.fetch_link", "--force"]);
    assert!(refused.stderr.contains("holds no events"), "{}", refused.stderr);
    let wrong = replay(&pipeline, &["--topic", "x", "--from", "yesterday"]);
    assert_eq!(wrong.status.code(), Some(2));
    // What is not published is left to the bridge.
    pipeline.database.psql("SELECT lifestream.emit_event('link.added', 'link', 'link:x', '{\"url\":\"u\"}')");
    let sent = replay(&pipeline, &["--topic", "events.raw", "--force"]);
    assert!(sent.stdout.starts_with("6 events sent"), "{}", sent.stdout);
    pipeline.settle();
    // Nothing is applied twice, and nothing else notices.
    assert_eq!(pipeline.events().len(), 6 + 6 + 1);
    assert_eq!(pipeline.database.psql("SELECT count(*) FROM lifestream.event_ingest_dedupe"), "7");
    assert_eq!(pipeline.database.psql("SELECT count(*) FROM lifestream.parked"), "0");
}

#[test]
fn interrupted_it_says_from_where_to_go_on_and_killed_it_can_be_done_again() {
    let pipeline = pipeline("rp_interrupted");
    pipeline.database.psql("SELECT count(lifestream.emit_event('note.created', 'note', 'n' || n % 10, '{}')) FROM generate_series(1, 30000) AS n");
    let mut replaying = pipeline.spawn(&["replay", "--topic", "again"]);
    eventually(SOON, "some of it is sent", || !pipeline.records("again").is_empty() || !replaying.is_running());
    replaying.signal("INT");
    let log = replaying.shared_log();
    assert_eq!(replaying.wait(SOON).code(), Some(130), "{}", log());
    let log = log();
    let from = log
        .split("--from ")
        .nth(1)
        .and_then(|rest| rest.split('`').next())
        .unwrap_or_else(|| panic!("{log}"))
        .to_owned();
    let next: i64 = from.parse().unwrap();
    assert!((2..30_000).contains(&next), "{log}");
    assert_eq!(seqs(&pipeline.records("again")), (1..next).collect::<Vec<_>>());
    assert!(replay(&pipeline, &["--topic", "again", "--from", &from]).status.success());
    assert_eq!(seqs(&pipeline.records("again")), (1..=30_000).collect::<Vec<_>>());
}

#[test]
fn what_kafka_refuses_or_does_not_acknowledge_is_an_error_that_says_from_where_to_go_on() {
    let kafka = Kafka::shared();
    let pipeline = pipeline("rp_refused");
    pipeline.database.psql(
        "SELECT lifestream.emit_event('note.created', 'note', 'small', '{}'); \
         SELECT lifestream.emit_event('note.created', 'note', 'large', jsonb_build_object('text', (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 20000) AS n)))",
    );
    pipeline.run(&["replay", "--topic", "again", "--to", "2"]);
    let topic = format!("{}again", pipeline.prefix);
    let altered = kafka
        .tool("kafka.admin.ConfigCommand")
        .args(["--bootstrap-server", &kafka.brokers(), "--entity-type", "topics", "--entity-name", &topic])
        .args(["--alter", "--add-config", "max.message.bytes=10000"])
        .output()
        .unwrap();
    assert!(altered.status.success(), "{altered:?}");
    let refused = replay(&pipeline, &["--topic", "again"]);
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stdout);
    assert!(refused.stderr.contains("\"large\"") && refused.stderr.contains("--from "), "{}", refused.stderr);
}
