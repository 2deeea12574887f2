//! Events one byte under, at and over a limit: refused clearly when they are emitted, or parked. The topic's limit is lowered live.

use std::time::Duration;

use lifestream_tests::load::LoadOptions;
use lifestream_tests::{Postgres, eventually};

use crate::parts::{BRIDGE, MATERIALIZER, Parts};
use crate::stage::{SOON, Stage, kafka};

#[tokio::test(flavor = "multi_thread")]
async fn at_the_emit_one_byte_decides() {
    let stage = Stage::new("too_large", Postgres::shared(), kafka());
    let client = stage.pipeline.database.connect().await;
    client.batch_execute("SET lifestream.max_event_bytes = 10000").await.unwrap();
    let emit = async |bytes: usize| {
        let text = "x".repeat(bytes);
        let sql = "SELECT lifestream.emit_event('load.done', 'size', 'size', jsonb_build_object('t', $1::text))";
        client.execute(sql, &[&text]).await
    };
    // The error tells how large it is: from there to the limit.
    let refused = emit(20_000).await.unwrap_err();
    let refused = refused.as_db_error().unwrap().clone();
    assert_eq!(refused.code().code(), "54000");
    let detail = refused.detail().unwrap().to_owned();
    assert!(detail.ends_with("lifestream.max_event_bytes is 10000."), "{detail}");
    let octets: usize = detail.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    let at = 20_000 - (octets - 10_000);
    emit(at - 1).await.unwrap();
    emit(at).await.unwrap();
    let over = emit(at + 1).await.unwrap_err();
    let over = over.as_db_error().unwrap().clone();
    assert_eq!(over.code().code(), "54000");
    assert!(over.detail().unwrap().contains("10001 octets"), "{over:?}");
    stage.pipeline.run(&["bridge", "--until-idle"]);
    assert_eq!(stage.pipeline.events().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_topic_one_byte_decides_and_a_limit_lowered_live_parks() {
    let stage = Stage::new("limit_lowered", Postgres::shared(), kafka());
    let parts = Parts::start(
        &stage,
        [(BRIDGE, vec![("KAFKA_COMPRESSION".to_owned(), "none".to_owned())]), (MATERIALIZER, Vec::new())],
    );
    let load = stage.load(LoadOptions { writers: 2, pace: Duration::from_millis(10), rare: 20 });
    eventually(SOON, "it flows", || stage.count("public.applied") > 0);
    stage.limit_topic(true).await;
    load.more(200).await;
    // Each a byte larger than the one before, over the limit somewhere in the middle: sizes of records are what they are.
    stage.psql(
        "SELECT count(lifestream.emit_event('load.done', 'size', 'size-' || i, jsonb_build_object('t', repeat('x', 98200 + i)))) \
         FROM generate_series(1, 1600) i",
    );
    eventually(SOON, "each is published or parked", || {
        stage.count(
            "lifestream.events e WHERE NOT published_to_kafka AND subject = 'size' \
             AND NOT EXISTS (SELECT FROM lifestream.parked p WHERE p.event_id = e.id)",
        ) == 0
    });
    let sizes = stage.psql(
        "SELECT max(length(payload->>'t')) FILTER (WHERE published_to_kafka), min(length(payload->>'t')) FILTER (WHERE NOT published_to_kafka) \
         FROM lifestream.events WHERE subject = 'size'",
    );
    let (largest, smallest) = sizes.split_once('|').unwrap();
    println!("the largest that was published has {largest} letters, the smallest that was parked {smallest}");
    assert_eq!(largest.parse::<u32>().unwrap() + 1, smallest.parse::<u32>().unwrap(), "one byte decides");
    let told = "lifestream.parked WHERE stage = 'bridge' AND behind IS NULL AND error NOT LIKE '%MessageSizeTooLarge%'";
    assert_eq!(stage.count(told), 0);
    // The limit is raised again, and all that was parked goes out in order.
    stage.assert_nothing_wrong(load).await;
    parts.stop();
}
