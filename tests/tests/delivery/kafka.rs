//! Kafka goes away, or refuses.

use lifestream_tests::{Kafka, KafkaOptions, Pipeline, Postgres, eventually};

use crate::load::{Load, assert_nothing_wrong};
use crate::{SOON, assert_arrived_in_order, drained, pipeline, unpublished};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_down_at_the_start_and_later_is_waited_for_and_said_once() {
    let kafka = Kafka::start_with(&KafkaOptions::default());
    let pipeline = Pipeline::new("kafka_down", Postgres::shared(), &kafka);
    pipeline.run(&["init"]);
    kafka.kill9();
    let bridge = pipeline.spawn(&["bridge"]);
    let load = Load::start(&pipeline.database.url(), 2);
    eventually(SOON, "the bridge says that Kafka is away", || bridge.log().contains("KAFKA_BROKERS"));
    load.more(500).await;
    kafka.start_again();
    eventually(SOON, "the bridge publishes", || bridge.log().contains("publishing"));
    load.more(500).await;
    kafka.kill9();
    load.more(2_000).await;
    kafka.start_again();
    let oracle = load.stop().await;
    drained(&pipeline.database);
    assert_nothing_wrong(&oracle, &pipeline);
    let complaints = bridge.log().lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).count();
    assert!(complaints <= 6, "{complaints} complaints for two outages:\n{}", bridge.log());
    assert_eq!(bridge.terminate().code(), Some(0));
}

#[test]
fn what_kafka_refuses_is_parked_with_its_subject_and_the_others_go_on() {
    let pipeline = pipeline("refused");
    // The extension lets 900 kB through; this topic takes 100 kB.
    let config = [
        "--entity-type",
        "topics",
        "--entity-name",
        &format!("{}events.raw", pipeline.prefix),
        "--alter",
        "--add-config",
        "max.message.bytes=100000",
    ];
    let altered = Kafka::shared()
        .tool("kafka.admin.ConfigCommand")
        .args(["--bootstrap-server", &pipeline.kafka.brokers()])
        .args(config)
        .output()
        .unwrap();
    assert!(altered.status.success(), "{}", String::from_utf8_lossy(&altered.stderr));
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
