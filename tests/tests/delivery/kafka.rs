//! Kafka goes away.

use lifestream_tests::{Kafka, KafkaOptions, Pipeline, Postgres, eventually};

use crate::load::{Load, assert_nothing_wrong};
use crate::{SOON, drained};

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
