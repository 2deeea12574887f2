//! Kafka away, at the start and under load: emits go on, memory stays bounded, and afterwards all drains in order by itself.

use std::time::Duration;

use lifestream_tests::load::LoadOptions;
use lifestream_tests::{Kafka, KafkaOptions, Postgres, eventually};

use crate::stage::{SOON, Stage, peak_memory, short_sessions};

#[tokio::test(flavor = "multi_thread")]
async fn kafka_away_under_load_is_waited_for_and_said_once() {
    let kafka = Kafka::start_with(&KafkaOptions { properties: short_sessions(), ..KafkaOptions::default() });
    let stage = Stage::new("kafka_away", Postgres::shared(), &kafka);
    kafka.kill9();
    let bridge = stage.spawn(&["bridge"], &[]);
    let materializer = stage.spawn(&["materializer"], &[]);
    let load = stage.load(LoadOptions { writers: 2, pace: Duration::from_millis(2), rare: 0 });
    eventually(SOON, "the bridge says that Kafka is away", || bridge.log().contains("KAFKA_BROKERS"));
    load.more(300).await;
    kafka.start_again();
    eventually(SOON, "the bridge publishes", || bridge.log().contains("publishing"));
    load.more(300).await;
    kafka.kill9();
    // Fifty megabytes that nobody takes: they must wait in PostgreSQL.
    stage.psql(
        "SELECT count(lifestream.emit_event('bulk.done', 'bulk', 'bulk-' || i, jsonb_build_object('text', t.text))) \
         FROM generate_series(1, 250) i, (SELECT string_agg(md5(n::text), '') AS text FROM generate_series(1, 6250) n) t",
    );
    load.more(1_000).await;
    kafka.start_again();
    load.more(100).await;
    stage.assert_nothing_wrong(load).await;
    let peak = peak_memory(&bridge);
    println!("the bridge's memory has peaked at {} MB", peak >> 20);
    assert!(peak < 300 << 20, "{peak}");
    let complaints = bridge.log().lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).count();
    assert!(complaints <= 6, "{complaints} complaints for two outages:\n{}", bridge.log());
    for part in [bridge, materializer] {
        assert_eq!(part.terminate().code(), Some(0));
    }
}
