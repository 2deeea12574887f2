//! No space left, under PostgreSQL and under Kafka: a clear error, and nothing lost once there is room.

use std::time::Duration;

use lifestream_tests::load::LoadOptions;
use lifestream_tests::{Disk, Kafka, KafkaOptions, Postgres, PostgresOptions, eventually};

use crate::parts::{BRIDGE, MATERIALIZER, Parts};
use crate::stage::{SOON, Stage, kafka, short_sessions};

const LOAD: LoadOptions = LoadOptions { writers: 2, pace: Duration::from_millis(5), rare: 0 };

#[tokio::test(flavor = "multi_thread")]
async fn under_postgres_emits_are_refused_clearly_and_all_goes_on_once_there_is_room() {
    let disk = Disk::mount(400);
    let postgres = Postgres::start_with(&PostgresOptions {
        folder: Some(disk.folder().to_owned()),
        settings: vec!["max_wal_size=64MB".to_owned()],
        ..PostgresOptions::default()
    });
    let stage = Stage::new("postgres_full", &postgres, kafka());
    let parts = Parts::start(&stage, [BRIDGE, MATERIALIZER].map(|role| (role, Vec::new())));
    let load = stage.load(LOAD);
    eventually(SOON, "it flows", || stage.count("public.applied") > 100);
    disk.fill();
    // What is large needs room at once.
    let large = "SELECT lifestream.emit_event('load.large', 'full', 'full', jsonb_build_object('t', repeat(md5(i::text), 20000))) FROM generate_series(1, 200) i";
    let client = stage.pipeline.database.connect().await;
    let refused = client.execute(large, &[]).await.expect_err("no space is left");
    println!("an emit says: {refused:?}");
    assert_eq!(refused.code().map(tokio_postgres::error::SqlState::code), Some("53100"), "{refused:?}");
    eventually(SOON, "PostgreSQL says why", || postgres.log().contains("No space left on device"));
    disk.free();
    postgres.start_again();
    load.more(200).await;
    stage.assert_nothing_wrong(load).await;
    parts.assert_all_run();
    parts.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn under_kafka_events_wait_in_postgres_and_go_out_once_there_is_room() {
    let disk = Disk::mount(300);
    let kafka = Kafka::start_with(&KafkaOptions {
        properties: short_sessions(),
        folders: vec![disk.folder().to_owned()],
        ..KafkaOptions::default()
    });
    let stage = Stage::new("kafka_full", Postgres::shared(), &kafka);
    let parts = Parts::start(&stage, [BRIDGE, MATERIALIZER].map(|role| (role, Vec::new())));
    let load = stage.load(LOAD);
    eventually(SOON, "it flows", || stage.count("public.applied") > 100);
    disk.fill();
    eventually(SOON, "Kafka says why", || kafka.log().contains("No space left on device"));
    // Emits go on meanwhile.
    load.more(300).await;
    eventually(SOON, "the bridge says that Kafka takes nothing", || {
        parts.hold(0).as_ref().is_some_and(|bridge| bridge.log().contains("WARN"))
    });
    disk.free();
    kafka.kill9();
    kafka.start_again();
    load.more(100).await;
    stage.assert_nothing_wrong(load).await;
    parts.assert_all_run();
    parts.stop();
}
