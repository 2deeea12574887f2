//! How fast events are applied, and how soon. Figures for people, printed: `cargo test --release -- --ignored --nocapture speed`.

use std::time::{Duration, Instant};

use crate::bench::{Bench, Made, event};

/// Applies so many of each and prints events a second, Kafka and PostgreSQL on the same machine.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, and asserts nothing about the machine that it runs on"]
async fn speed() {
    let pad = "x".repeat(160);
    let cases: [(&str, &dyn Fn(i64) -> Made); 4] = [
        ("note.created", &|seq| {
            event(seq, "note.created", &format!("note:{seq:064x}"), &format!(r#"{{"text":"{pad}"}}"#))
        }),
        ("temp.reading_recorded", &|seq| {
            event(seq, "temp.reading_recorded", &format!("temp:{}", seq % 1000), r#"{"celsius":21.5}"#)
        }),
        ("link.added", &|seq| {
            let payload = format!(r#"{{"url":"https://example.org/{seq:064x}","title":"{}"}}"#, &pad[..60]);
            event(seq, "link.added", &format!("link:{seq:064x}"), &payload)
        }),
        ("link.added, 3 tags", &|seq| {
            let payload = format!(
                r#"{{"url":"https://example.org/{seq:064x}","title":"t","tags":["news","rust","{}"]}}"#,
                seq % 100
            );
            event(seq, "link.added", &format!("link:{seq:064x}"), &payload)
        }),
    ];
    let number: i64 = std::env::var("EVENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    for (name, made) in cases {
        let bench = Bench::new("mat_speed").await;
        // The group's join and the first fetch are no part of the rate.
        let member = bench.start();
        bench.produce(&[event(0, "note.created", "note:first", "{}")]);
        while bench.count("lifestream.event_ingest_dedupe") < 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        member.stop().await;
        let mut next = 1;
        while next <= number {
            let chunk: Vec<_> = (next..(next + 10_000).min(number + 1)).map(made).collect();
            bench.produce(&chunk);
            next += 10_000;
        }
        let client = bench.database().connect().await;
        let count = "SELECT coalesce(sum(\"offset\"), 0)::bigint FROM lifestream.kafka_offsets";
        let applied = async || client.query_one(count, &[]).await.unwrap().get::<_, i64>(0);
        let member = bench.start();
        while applied().await <= 1 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let (begun, before) = (Instant::now(), applied().await);
        while applied().await <= number {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let rate = (number + 1 - before) as f64 / begun.elapsed().as_secs_f64();
        println!("{name}: {rate:.0} events/s, of {number}");

        // One at a time: from the broker's acknowledgement to the visible row.
        let mut waits = Vec::new();
        for seq in number + 1..number + 101 {
            bench.produce(&[made(seq)]);
            let begun = Instant::now();
            while applied().await <= seq {}
            waits.push(begun.elapsed());
        }
        waits.sort_unstable();
        println!("{name}: one event applied in p50 {:.1?}, p99 {:.1?}", waits[50], waits[98]);
        member.stop().await;
    }
}
