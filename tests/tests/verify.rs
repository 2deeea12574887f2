//! `lifestream verify` and `wait_for`, over real servers: what they find, where the database and Kafka disagree.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use lifestream_tests::{Finished, Kafka, Pipeline, Postgres, Program, Record, eventually};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};

const LOOK: Option<i32> = Some(3);
const SOON: Duration = Duration::from_secs(30);

fn new(test: &str) -> Pipeline<'static> {
    let pipeline = Pipeline::new(test, Postgres::shared(), Kafka::shared());
    pipeline.run(&["init"]);
    pipeline
}

fn emit(pipeline: &Pipeline<'_>, subject_id: &str, count: u32) {
    pipeline.database.psql(&format!(
        "SELECT lifestream.emit_event('note.created', 'note', '{subject_id}', jsonb_build_object('n', n)) FROM generate_series(1, {count}) n"
    ));
}

fn verify(pipeline: &Pipeline<'_>, arguments: &[&str]) -> Finished {
    let mut all = vec!["verify"];
    all.extend(arguments);
    Program::run_with(&all, &pipeline.environment(), b"")
}

/// What it finds: how many events, and the ids that it names.
fn findings(pipeline: &Pipeline<'_>, code: Option<i32>) -> BTreeMap<String, (u64, Vec<String>)> {
    let finished = verify(pipeline, &["--json"]);
    assert_eq!(finished.status.code(), code, "{}{}", finished.stdout, finished.stderr);
    let list: Vec<Value> = serde_json::from_str(&finished.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list.iter()
        .map(|found| {
            let ids = found["ids"].as_array().into_iter().flatten().map(text).collect();
            (text(&found["finding"]), (found["events"].as_u64().unwrap(), ids))
        })
        .collect()
}

fn counts(found: &BTreeMap<String, (u64, Vec<String>)>) -> Vec<(&str, u64)> {
    found.iter().map(|(finding, (events, _))| (finding.as_str(), *events)).collect()
}

fn ids(pipeline: &Pipeline<'_>, condition: &str) -> Vec<String> {
    let ids = pipeline.database.psql(&format!("SELECT id FROM lifestream.events WHERE {condition} ORDER BY seq"));
    ids.lines().map(str::to_owned).collect()
}

/// Puts a record on `events.raw`, as somebody might who should not.
fn produce(pipeline: &Pipeline<'_>, key: &str, value: &str, event_id: &str) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", pipeline.kafka.brokers()).create().unwrap();
    let topic = format!("{}events.raw", pipeline.prefix);
    let headers = OwnedHeaders::new()
        .insert(Header { key: "event_id", value: Some(event_id) })
        .insert(Header { key: "event_type", value: Some("note.created") });
    producer.send(BaseRecord::to(&topic).key(key).payload(value).partition(0).headers(headers)).unwrap();
    producer.flush(SOON).unwrap();
}

fn again(pipeline: &Pipeline<'_>, record: &Record) {
    let value = String::from_utf8(record.value.clone().unwrap()).unwrap();
    produce(pipeline, record.key(), &value, &record.event_id().to_string());
}

#[test]
fn what_went_its_way_is_sound_archived_or_not() {
    let pipeline = new("verify_sound");
    emit(&pipeline, "a", 30);
    emit(&pipeline, "b", 20);
    pipeline.settle();
    let sound = [("emitted", 50), ("materialized", 50), ("on Kafka", 50), ("published", 50)];
    assert_eq!(counts(&findings(&pipeline, Some(0))), sound);
    let shown = verify(&pipeline, &[]).stdout;
    assert!(shown.contains("materializer-v1") && shown.lines().count() == 5, "{shown}");

    pipeline.database.psql("CALL lifestream.archive(now() + interval '1 hour', 7)");
    assert_eq!(pipeline.database.psql("SELECT count(*) FROM lifestream.events"), "0");
    assert_eq!(counts(&findings(&pipeline, Some(0))), sound);

    // The range is the database's to read; one that cannot be is named.
    let none = verify(&pipeline, &["--to", "yesterday", "--json"]);
    assert_eq!(none.status.code(), Some(0));
    assert!(none.stdout.contains("\"emitted\"") && !none.stdout.contains("50"), "{}", none.stdout);
    let refused = verify(&pipeline, &["--from", "lately"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("\"lately\""), "{}", refused.stderr);

    // After a reset those that were archived are published anew as well.
    pipeline.run(&["reset", "--yes"]);
    pipeline.settle();
    assert_eq!(pipeline.database.psql("SELECT count(*) FROM lifestream.events"), "50");
    let twice = findings(&pipeline, LOOK);
    assert_eq!(twice["sent twice"].0, 50);
    assert_eq!(twice["materialized"].0, 50);
}

#[test]
fn what_is_missing_doubled_or_out_of_order_is_named() {
    let pipeline = new("verify_unsound");
    emit(&pipeline, "a", 4);
    pipeline.settle();

    // A record sent again, and one that no database of ours emitted.
    let first = pipeline.events().into_iter().find(|record| record.json()["payload"]["n"] == 1).unwrap();
    again(&pipeline, &first);
    let mut foreign = first.json();
    foreign["id"] = json!("11111111-1111-4111-8111-111111111111");
    produce(&pipeline, "a", &foreign.to_string(), "11111111-1111-4111-8111-111111111111");
    let found = findings(&pipeline, LOOK);
    assert_eq!(found["sent twice"].1, [first.event_id().to_string()]);
    assert_eq!(found["only on Kafka"].1, ["11111111-1111-4111-8111-111111111111"]);

    // Flagged and never sent; emitted and waiting.
    emit(&pipeline, "never-sent", 2);
    pipeline.database.psql("UPDATE lifestream.events SET published_to_kafka = true WHERE subject_id = 'never-sent'");
    emit(&pipeline, "waiting", 3);
    let found = findings(&pipeline, LOOK);
    assert_eq!(found["not on Kafka"].1, ids(&pipeline, "subject_id = 'never-sent'"));
    assert_eq!(found["not materialized"].1, ids(&pipeline, "subject_id = 'never-sent'"));
    assert_eq!(found["not published"].1, ids(&pipeline, "subject_id = 'waiting'"));
    assert_eq!((found["emitted"].0, found["published"].0, found["on Kafka"].0), (9, 6, 4));

    // Sent after all, the second first.
    for n in [2, 1] {
        let event = pipeline.database.psql(&format!(
            "SELECT row_to_json(e) FROM (SELECT id, seq, occurred_at, received_at, source, subject, subject_id, event_type, payload, schema_version, \
             correlation_id, causation_id, tenant_id, headers FROM lifestream.events WHERE subject_id = 'never-sent' AND payload ->> 'n' = '{n}') e"
        ));
        let id = ids(&pipeline, &format!("subject_id = 'never-sent' AND payload ->> 'n' = '{n}'")).remove(0);
        produce(&pipeline, "never-sent", &event, &id);
    }
    pipeline.settle();
    let found = findings(&pipeline, LOOK);
    let late = ids(&pipeline, "subject_id = 'never-sent' AND payload ->> 'n' = '1'");
    let printed = format!("{found:?}");
    assert_eq!(found["out of order on Kafka"].1, late, "{printed}");
    // The state has them in the order in which they came.
    assert_eq!(found["out of order"].1, late, "{printed}");
    assert!(!found.contains_key("not on Kafka") && !found.contains_key("not materialized"), "{printed}");

    // As people read it.
    let shown = verify(&pipeline, &[]).stdout;
    assert!(shown.contains("FINDING") && shown.contains(&format!("out of order on Kafka:\n  {}", late[0])), "{shown}");
}

#[test]
fn waiting_ends_when_the_event_is_there() {
    let pipeline = new("wait_for");
    let wait = |stage: &str, timeout: &str| {
        pipeline.database.psql(&format!(
            "SELECT lifestream.wait_for((SELECT id FROM lifestream.events WHERE subject_id = 'a'), '{stage}', '{timeout}')"
        ))
    };
    emit(&pipeline, "a", 1);
    assert_eq!(wait("published", "0"), "f");
    std::thread::scope(|scope| {
        let published = scope.spawn(|| wait("published", "2 min"));
        let materialized = scope.spawn(|| wait("materialized", "2 min"));
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%wait\\_for((%' AND state = 'active' AND pid <> pg_backend_pid() AND datname = current_database()";
        eventually(SOON, "both wait", || pipeline.database.psql(waiting) == "2");
        pipeline.settle();
        assert_eq!(published.join().unwrap(), "t");
        assert_eq!(materialized.join().unwrap(), "t");
    });
}
