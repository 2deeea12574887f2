//! Order for each key, bounded concurrency, pace, and what one lane may take up.

use std::time::{Duration, Instant};

use lifestream_tests::eventually;
use serde_json::json;

use crate::bench::{Bench, SOON, by_subject, task};

#[tokio::test(flavor = "multi_thread")]
async fn each_key_is_worked_on_in_order_and_no_more_at_a_time_than_allowed() {
    let bench = Bench::new("run_order").await;
    let work: Vec<_> = (0..240).map(|n| task(&format!("link:{}", n % 12), n, json!({"do": "pause"}))).collect();
    bench.put(&work);
    bench.settle().await;
    assert_eq!(bench.count("lifestream.events WHERE event_type = 'scripted.done'"), 240);
    let seen = bench.world.seen.lock().unwrap();
    for (subject, numbers) in by_subject(&seen.ended) {
        assert!(numbers.is_sorted() && numbers.len() == 20, "{subject}: {numbers:?}");
    }
    assert!((2..=8).contains(&seen.most_at_once), "{}", seen.most_at_once);
    let answer = bench.answer(&work[5]);
    assert_eq!(answer["causation_id"], json!(work[5].triggered_by_event_id));
    assert_eq!(answer["correlation_id"], json!(work[5].correlation_id));
    assert_eq!((&answer["source"], &answer["subject"]), (&json!("agent/scripted"), &json!("link")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_been_answered_is_not_done_again_but_a_new_group_does_all_of_it() {
    let bench = Bench::new("run_repeat").await;
    let work: Vec<_> = (0..20).map(|n| task(&format!("link:{n}"), n, json!({}))).collect();
    bench.put(&work);
    bench.put(&work);
    bench.settle().await;
    bench.put(&work);
    bench.settle().await;
    assert_eq!(bench.world.seen.lock().unwrap().began.len(), 20);
    assert_eq!(bench.count("lifestream.events"), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_keeps_its_pace() {
    let bench = Bench::new("run_pace").await;
    let work: Vec<_> =
        (0..9).map(|n| task(&format!("link:{n}"), n, json!({"host": "slow", "interval_ms": 100}))).collect();
    bench.put(&work);
    let start = Instant::now();
    bench.settle().await;
    // Faster is impossible where the pace is kept, however slow this machine is.
    assert!(start.elapsed() >= Duration::from_millis(800), "{:?}", start.elapsed());
    assert_eq!(bench.count("lifestream.events"), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_answer_leaves_slots_to_others() {
    let bench = Bench::new("run_slots").await;
    let silent: Vec<_> =
        (0..30).map(|n| task(&format!("silent:{n}"), n, json!({"host": "silent", "do": "wait"}))).collect();
    let others: Vec<_> = (0..30).map(|n| task(&format!("other:{n}"), n, json!({"host": "quick"}))).collect();
    bench.put(&silent);
    bench.put(&others);
    let member = bench.start();
    eventually(SOON, "the other host's work is done", || {
        bench.count("lifestream.events WHERE subject_id LIKE 'other:%'") == 30
    });
    assert_eq!(bench.began("silent"), 2);
    bench.world.gate.add_permits(30);
    eventually(SOON, "all is done", || bench.count("lifestream.events") == 60);
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_of_another_host_does_not_wait_behind_that_of_slow_ones() {
    let bench = Bench::new("run_share").await;
    // More than the runner holds, all for hosts that would take minutes.
    let many: Vec<_> = (0..1_500)
        .map(|n| task(&format!("link:{n}"), n, json!({"host": format!("big{}", n % 2), "interval_ms": 4_000})))
        .collect();
    let others: Vec<_> = (0..6).map(|n| task(&format!("other:{n}"), n, json!({"host": "small"}))).collect();
    bench.put(&many);
    bench.put(&others);
    let member = bench.start();
    eventually(SOON, "the other host's work is done", || {
        bench.count("lifestream.events WHERE subject_id LIKE 'other:%'") == 6
    });
    eventually(SOON, "what is too much is put off", || {
        bench.count("lifestream.pending_retries WHERE reason = 'lane'") >= 1_400
    });
    member.stop().await;
    let spread = bench.psql(
        "SELECT bool_and(apart AND first > now() + interval '1 min') FROM (\
             SELECT count(DISTINCT not_before) = count(*) AS apart, min(not_before) AS first \
             FROM lifestream.pending_retries GROUP BY work_message -> 'payload' ->> 'host') of_host",
    );
    assert_eq!(spread, "t");
    let same = bench
        .psql("SELECT bool_and((work_message->>'id')::uuid = work_id AND attempt = 1) FROM lifestream.pending_retries");
    assert_eq!(same, "t");
    bench.assert_none_lost();
    // That says something: what is put off is committed, as far as nothing before it waits.
    let committed: i64 = bench.psql("SELECT sum(committed) FROM lifestream.consumer_progress").parse().unwrap();
    assert!(committed > 0);
}
