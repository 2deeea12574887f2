//! What Kafka refuses waits, parked, for a person's decision; the bridge carries it out.

use std::sync::OnceLock;

use lifestream_tests::{Kafka, KafkaOptions, Pipeline, Postgres, eventually};

use crate::{SOON, assert_arrived_in_order, unpublished};

const RETRY: &str = "SELECT lifestream.retry_parked(id) FROM lifestream.parked WHERE behind IS NULL";

/// A pipeline on a broker that takes no record over 100 kB, which is less than the extension lets through.
fn pipeline(test: &str) -> Pipeline<'static> {
    static KAFKA: OnceLock<Kafka> = OnceLock::new();
    let kafka = KAFKA.get_or_init(|| {
        let properties = vec!["message.max.bytes=100000".to_owned()];
        Kafka::start_with(&KafkaOptions { properties, ..KafkaOptions::default() })
    });
    let pipeline = Pipeline::new(test, Postgres::shared(), kafka);
    pipeline.run(&["init"]);
    pipeline
}

/// Has the topic take records up to a megabyte.
fn take_larger(pipeline: &Pipeline<'_>) {
    let topic = format!("{}events.raw", pipeline.prefix);
    let altered = pipeline
        .kafka
        .tool("kafka.admin.ConfigCommand")
        .args(["--bootstrap-server", &pipeline.kafka.brokers(), "--entity-type", "topics"])
        .args(["--entity-name", &topic, "--alter", "--add-config", "max.message.bytes=1000000"])
        .output()
        .unwrap();
    assert!(altered.status.success(), "{}", String::from_utf8_lossy(&altered.stderr));
}

/// Emits events of one subject; those of these numbers are too large for the topic.
fn emit(pipeline: &Pipeline<'_>, from: i64, to: i64, large: &str) {
    pipeline.database.psql(&format!(
        "SELECT lifestream.emit_event('test.done', 'test', 'subject', jsonb_build_object('n', i, 'text', \
           CASE WHEN i = ANY (ARRAY[{large}]::int[]) THEN (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 10000) n) END)) \
         FROM generate_series({from}, {to}) i",
    ));
}

/// The numbers in the topic, in its order.
fn arrived(pipeline: &Pipeline<'_>) -> String {
    let events = pipeline.events();
    let numbers = events.iter().map(|record| {
        let event: serde_json::Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
        event["payload"]["n"].to_string()
    });
    numbers.collect::<Vec<_>>().join(" ")
}

/// What is parked: number, the number it waits behind, what was decided, tries.
fn parked(pipeline: &Pipeline<'_>) -> String {
    pipeline.database.psql(
        "SELECT coalesce(string_agg(concat_ws('/', e.payload->'n', b.payload->'n', p.decision, p.attempts), ' ' ORDER BY p.id), '') \
         FROM lifestream.parked p JOIN lifestream.events e USING (seq) \
         LEFT JOIN (lifestream.parked h JOIN lifestream.events b USING (seq)) ON h.id = p.behind",
    )
}

fn unpublished_numbers(pipeline: &Pipeline<'_>) -> String {
    pipeline.database.psql("SELECT coalesce(string_agg(payload->>'n', ' ' ORDER BY seq), '') FROM lifestream.events WHERE NOT published_to_kafka")
}

#[test]
fn what_kafka_refuses_is_parked_with_its_subject_and_the_others_go_on() {
    let pipeline = pipeline("refused");
    let bridge = pipeline.spawn(&["bridge"]);
    pipeline.database.psql(
        "SELECT lifestream.emit_event('test.done', 'test', CASE WHEN i % 10 = 5 THEN 'large' ELSE 'small-' || i % 3 END, \
             jsonb_build_object('text', CASE WHEN i = 25 THEN (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 10000) n) END)) \
         FROM generate_series(1, 100) i",
    );
    eventually(SOON, "all but the subject of the large one is published", || unpublished(&pipeline.database) == 8);
    assert_eq!(
        pipeline.database.psql("SELECT string_agg(seq::text || (behind IS NOT NULL)::text, ' ' ORDER BY seq) FROM lifestream.parked WHERE stage = 'bridge'"),
        "25false 35true 45true 55true 65true 75true 85true 95true"
    );
    assert_arrived_in_order(&pipeline, 92);
    // A restart forgets nothing of it.
    assert_eq!(bridge.terminate().code(), Some(0));
    pipeline.database.psql("SELECT lifestream.emit_event('test.done', 'test', 'large', '{}'), lifestream.emit_event('test.done', 'test', 'small-0', '{}')");
    pipeline.run(&["bridge", "--until-idle"]);
    assert_eq!(unpublished(&pipeline.database), 9);
    assert_arrived_in_order(&pipeline, 93);
}

#[test]
fn retried_it_goes_out_with_what_waits_behind_it_in_order_once_the_topic_takes_it() {
    let pipeline = pipeline("parked_retry");
    emit(&pipeline, 1, 6, "2, 5");
    let bridge = pipeline.spawn(&["bridge"]);
    eventually(SOON, "it is parked", || parked(&pipeline) == "2/1 3/2/1 4/2/1 5/2/1 6/2/1");
    pipeline.database.psql(RETRY);
    eventually(SOON, "it is refused again", || parked(&pipeline).starts_with("2/2 "));
    assert_eq!(arrived(&pipeline), "1");
    take_larger(&pipeline);
    // The broker takes up a changed limit when it comes to it: tried until it is let through.
    eventually(SOON, "all of it is published", || {
        pipeline.database.psql(RETRY);
        unpublished_numbers(&pipeline).is_empty() && parked(&pipeline).is_empty()
    });
    emit(&pipeline, 7, 9, "");
    eventually(SOON, "later ones follow", || unpublished_numbers(&pipeline).is_empty());
    assert_eq!(arrived(&pipeline), "1 2 3 4 5 6 7 8 9");
    assert_eq!(bridge.terminate().code(), Some(0));
}

#[test]
fn discarded_it_stays_away_and_the_next_refused_becomes_the_first() {
    let pipeline = pipeline("parked_discard");
    emit(&pipeline, 1, 7, "2, 5");
    pipeline.run(&["bridge", "--until-idle"]);
    let discard = RETRY.replace("retry", "discard");
    pipeline.database.psql(&discard);
    // What is decided while no bridge runs is carried out by the next.
    pipeline.run(&["bridge", "--until-idle"]);
    assert_eq!((arrived(&pipeline).as_str(), parked(&pipeline).as_str()), ("1 3 4", "5/2 6/5/1 7/5/1"));
    pipeline.database.psql(&discard);
    pipeline.run(&["bridge", "--until-idle"]);
    emit(&pipeline, 8, 8, "");
    pipeline.run(&["bridge", "--until-idle"]);
    assert_eq!((arrived(&pipeline).as_str(), parked(&pipeline).as_str()), ("1 3 4 6 7 8", ""));
    assert_eq!(unpublished_numbers(&pipeline), "2 5");
    assert_eq!(pipeline.database.psql("SELECT count(*) FROM lifestream.discarded WHERE stage = 'bridge'"), "2");
}

#[test]
fn killed_again_and_again_while_a_long_queue_is_let_go_it_sends_nothing_twice() {
    let pipeline = pipeline("parked_killed");
    emit(&pipeline, 1, 1_500, "1");
    pipeline.run(&["bridge", "--until-idle"]);
    pipeline.database.psql(&RETRY.replace("retry", "discard"));
    let published = || 1_500 - pipeline.database.psql("SELECT count(*) FROM lifestream.parked").parse::<i64>().unwrap();
    for n in 1..=6 {
        let bridge = pipeline.spawn(&["bridge"]);
        eventually(SOON, "some of it is gone", || published() >= n * 200);
        bridge.kill9();
    }
    pipeline.run(&["bridge", "--until-idle"]);
    let all: Vec<_> = (2..=1_500).map(|n: i64| n.to_string()).collect();
    assert_eq!(arrived(&pipeline), all.join(" "));
    assert_eq!((unpublished_numbers(&pipeline).as_str(), parked(&pipeline).as_str()), ("1", ""));
}

#[test]
fn a_long_queue_that_is_let_go_does_not_hold_up_other_subjects() {
    use lifestream_envelope::kafka::partition::of_key;
    let pipeline = pipeline("parked_fair");
    emit(&pipeline, 1, 1_000, "1");
    pipeline.run(&["bridge", "--until-idle"]);
    // One of another subject in the same partition, where Kafka tells which came first.
    let home = of_key(b"subject", 3);
    let other = (0..).map(|n| format!("other-{n}")).find(|key| of_key(key.as_bytes(), 3) == home).unwrap();
    let discard = RETRY.replace("retry", "discard");
    pipeline.database.psql(&format!(
        "BEGIN; {discard}; SELECT lifestream.emit_event('test.done', 'test', '{other}', '{{}}'); COMMIT"
    ));
    pipeline.run(&["bridge", "--until-idle"]);
    let events = pipeline.events();
    assert_eq!((events.len(), unpublished_numbers(&pipeline).as_str(), parked(&pipeline).as_str()), (1_000, "1", ""));
    let place = events.iter().position(|record| record.key() == other).unwrap();
    assert!(place < 300, "{place} of the queue went before it");
}
