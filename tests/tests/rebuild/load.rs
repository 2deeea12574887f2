//! Rebuilds while everything runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lifestream_tests::eventually;

use crate::house::House;

/// Each writer's transactions overlap with the others', some stay open for a while and some roll back.
async fn write(house: &House, writer: u32, over: &AtomicBool) -> i64 {
    let mut client = house.pipeline.database.connect().await;
    let mut committed = 0;
    for n in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let transaction = client.transaction().await.unwrap();
        let subject = format!("link:{writer}-{}", n % 40);
        let payload = format!(r#"{{"url":"u{n}","tags":["t{}"]}}"#, n % 7);
        transaction
            .execute(
                "SELECT emit_event('link.added', 'link', $1, $2::text::jsonb), emit_event('annotation.added', 'link', $1, '{}')",
                &[&subject, &payload],
            )
            .await
            .unwrap();
        if n % 5 == 0 {
            // Holds its numbers while the others go on.
            tokio::time::sleep(Duration::from_millis(u64::from(20 * writer))).await;
        }
        if n % 9 == 0 {
            transaction.rollback().await.unwrap();
        } else {
            transaction.commit().await.unwrap();
            committed += 1;
        }
    }
    committed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rebuilt_again_and_again_while_events_come_the_state_loses_nothing_and_readers_see_all_or_nothing() {
    let house = House::new("rb_load");
    let _bridge = house.pipeline.spawn(&["bridge"]);
    let _members = [house.pipeline.spawn(&["materializer"]), house.pipeline.spawn(&["materializer"])];
    let over = AtomicBool::new(false);
    let rebuilds = async {
        let mut fewer = 0;
        let reader = house.pipeline.database.connect().await;
        let mut seen = 0;
        for round in 0..4 {
            // Wrong rows, so that each rebuild has something to do; nobody else writes to the state meanwhile.
            house.psql(
                "BEGIN; LOCK TABLE lifestream.kafka_offsets IN SHARE ROW EXCLUSIVE MODE; \
                 UPDATE lifestream.links SET title = 'wrong' WHERE subject_id LIKE 'link:1-1%'; \
                 DELETE FROM lifestream.annotations WHERE seq % 50 = 0; COMMIT",
            );
            seen = seen.min(house.count("lifestream.annotations"));
            let mut rebuild = house.start("all");
            while rebuild.is_running() {
                let rows: i64 =
                    reader.query_one("SELECT count(*) FROM lifestream.annotations", &[]).await.unwrap().get(0);
                fewer += i32::from(rows < seen);
                seen = rows;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let log = rebuild.shared_log();
            assert!(rebuild.wait(Duration::from_secs(1)).success(), "round {round}: {}", log());
        }
        over.store(true, Ordering::Relaxed);
        fewer
    };
    let (fewer, one, two, three) =
        tokio::join!(rebuilds, write(&house, 1, &over), write(&house, 2, &over), write(&house, 3, &over));
    let committed = one + two + three;
    assert!(committed > 50, "{committed} transactions");
    assert_eq!(fewer, 0, "readers saw rows go");
    eventually(Duration::from_secs(120), "all is materialized", || {
        house.count("lifestream.event_ingest_dedupe") == 2 * committed
    });
    assert_eq!(house.count("lifestream.parked"), 0);
    // What the last rebuild did not put right, this one does; but nothing is to be put right then but what was made wrong by hand.
    house.same();
    assert_eq!(house.count("lifestream.annotations"), committed);
    assert_eq!(house.count("lifestream.links WHERE title = 'wrong'"), 0);
}
