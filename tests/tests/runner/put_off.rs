//! Work that is put off, while members are killed or lose their partitions: it is answered, or waits in one of two places.

use lifestream_envelope::{groups, postgres};
use lifestream_tests::work::{WorkTopic, work};
use lifestream_tests::{Kafka, Pipeline, Postgres, Program, eventually};
use serde_json::json;

use crate::bench::{Bench, SOON, TYPE, task};

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_or_after_it_is_written_no_work_is_lost() {
    // Nobody listens there, and an hour passes between two requests.
    let host = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("killed.localhost:{}", listener.local_addr().unwrap().port())
    };
    for step in ["runner.putting_off:9", "runner.put_off:9"] {
        let pipeline = Pipeline::new("run_put_off", Postgres::shared(), Kafka::shared())
            .with("LIFESTREAM_FETCH_ALLOW", &host)
            .with("LIFESTREAM_FETCH_INTERVAL", "1h");
        let topic = WorkTopic::create(&pipeline, TYPE).await;
        let links: Vec<_> =
            (0..300).map(|n| work(TYPE, &format!("link:{n}"), &json!({"url": format!("http://{host}/{n}")}))).collect();
        topic.put(&links);
        let count = |of: &str| pipeline.database.psql(&format!("SELECT count(*) FROM {of}")).parse::<usize>().unwrap();

        let mut environment = pipeline.environment();
        environment.push(("LIFESTREAM_FAILPOINT".to_owned(), step.to_owned()));
        let mut doomed = Program::spawn(&["agent", "fetcher"], &environment);
        eventually(SOON, &format!("it ends at {step}"), || !doomed.is_running());
        assert!(doomed.log().contains("ending at"), "{}", doomed.log());
        topic.assert_none_lost(&pipeline, groups::FETCHER);
        assert!(count("lifestream.pending_retries") < 200, "{step}: in the midst of it");

        let next = pipeline.spawn(&["agent", "fetcher"]);
        // All but the few that wait for their turn.
        eventually(SOON, "the rest is put off", || count("lifestream.pending_retries") >= 260);
        assert_eq!(next.terminate().code(), Some(0));
        topic.assert_none_lost(&pipeline, groups::FETCHER);
        // What was put off before the end and came again is there once; nothing was tried for it.
        assert!(count("lifestream.events") <= 2, "{step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_go_while_it_is_written_take_it_along() {
    let bench = Bench::new("run_put_off_revoked").await;
    bench.put(
        &(0..300)
            .map(|n| task(&format!("big:{n}"), n, json!({"host": "big", "interval_ms": 3_600_000})))
            .collect::<Vec<_>>(),
    );
    let holding = postgres::connect(&bench.settings.postgres, "test").await.unwrap();
    holding.client.batch_execute("BEGIN; LOCK TABLE lifestream.pending_retries IN SHARE MODE").await.unwrap();
    let first = bench.start();
    let waits = || bench.count("pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()");
    eventually(SOON, "work is being put off", || waits() > 0);
    let second = bench.start();
    // Its own pace: it begins one as soon as it has a partition.
    eventually(SOON, "partitions have gone to the second member", || bench.began("big") == 2);
    bench.assert_none_lost();
    assert_eq!(bench.count("lifestream.pending_retries"), 0);
    holding.client.batch_execute("COMMIT").await.unwrap();
    eventually(SOON, "both have put off what is too much", || bench.count("lifestream.pending_retries") >= 200);
    first.stop().await;
    bench.assert_none_lost();
    second.stop().await;
    bench.assert_none_lost();
}

#[tokio::test(flavor = "multi_thread")]
async fn work_whose_turn_comes_later_waits_for_it_and_counts_for_no_failure() {
    let bench = Bench::new("run_turn").await;
    let turns: Vec<_> = (0..20).map(|n| task(&format!("turn:{n}"), n, json!({"host": "slow", "do": "turn"}))).collect();
    bench.put(&turns);
    bench.settle().await;
    let waits =
        "lifestream.pending_retries WHERE reason = 'lane' AND attempt = 1 AND not_before > now() + interval '50 min'";
    assert_eq!(bench.count(waits), 20);
    assert_eq!((bench.count("lifestream.events"), bench.count("lifestream.circuits")), (0, 0));
    bench.assert_none_lost();
}

/// A privilege that is missing, or a materializer that does not run: no work fails for it, and yet somebody must see it.
#[tokio::test(flavor = "multi_thread")]
async fn what_all_work_waits_for_stands_in_the_status_until_it_is_there() {
    let bench = Bench::new("run_lags").await;
    bench.world.is_down.store(true, std::sync::atomic::Ordering::SeqCst);
    let member = bench.start();
    let status = || {
        bench.psql(
            "SELECT coalesce(string_agg(last_error, ' '), '') FROM lifestream.pipeline_status WHERE stage = 'scripted'",
        )
    };
    bench.put(&(0..20).map(|n| task(&format!("lag:{n}"), n, json!({"do": "lag"}))).collect::<Vec<_>>());
    eventually(SOON, "it is told", || status().contains("the state lags"));
    assert_eq!(bench.count("lifestream.events"), 0);
    bench.world.is_down.store(false, std::sync::atomic::Ordering::SeqCst);
    bench.put(&[task("good", 1, json!({}))]);
    eventually(SOON, "it is over", || status().is_empty());
    member.stop().await;
}
