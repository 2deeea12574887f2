//! A host that fails is paused, says so, and is probed; others go on.

use std::sync::atomic::Ordering;

use lifestream_envelope::work::Work;
use lifestream_tests::eventually;
use serde_json::json;

use crate::bench::{Bench, GROUP, SOON, task};

/// Sends what was put off, as the router does once it is due.
fn dispatch_due(bench: &Bench) {
    let due = bench.psql(
        "WITH due AS (DELETE FROM lifestream.pending_retries WHERE not_before <= now() RETURNING work_message) SELECT work_message FROM due",
    );
    let due: Vec<Work> = due.lines().map(|line| Work::parse(line.as_bytes()).unwrap()).collect();
    bench.put(&due);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_fails_is_paused_and_another_ones_work_goes_on() {
    let bench = Bench::new("run_circuit").await;
    bench.world.is_down.store(true, Ordering::SeqCst);
    let down: Vec<_> = (0..100).map(|n| task(&format!("down:{n}"), n, json!({"host": "down"}))).collect();
    // No more than may wait at a time: nobody sends here what is put off.
    let up: Vec<_> = (0..30).map(|n| task(&format!("up:{n}"), n, json!({"host": "up"}))).collect();
    bench.put(&down);
    bench.put(&up);
    let member = bench.start();
    let answered = |host: &str| {
        bench.count(&format!("lifestream.events WHERE subject_id LIKE '{host}:%' AND event_type = 'scripted.done'"))
    };
    eventually(SOON, "it is paused", || {
        bench.count("lifestream.circuits WHERE lane = 'down' AND state IN ('paused', 'probing') AND failures >= 10")
            == 1
    });
    eventually(SOON, "the other host's work is done", || answered("up") == 30);
    eventually(SOON, "its work is put off", || {
        bench.count("lifestream.pending_retries WHERE reason IN ('circuit', 'lane')") >= 80
    });
    let status = || bench.psql("SELECT last_error FROM lifestream.pipeline_status WHERE stage = 'scripted'");
    eventually(SOON, "status says so", || status().contains("down is paused: 503 from down"));
    // Nothing but the first ones and probes has been tried.
    let tried =
        bench.world.seen.lock().unwrap().began.iter().filter(|(subject, _)| subject.starts_with("down")).count();
    assert!((10..=17).contains(&tried), "{tried}");
    assert_eq!(answered("down"), 0);

    bench.world.is_down.store(false, Ordering::SeqCst);
    eventually(SOON, "all that was put off is done once it works again", || {
        dispatch_due(&bench);
        answered("down") + bench.count("lifestream.events WHERE event_type = 'work.failed'") == 100
    });
    eventually(SOON, "and no circuit is open", || bench.count("lifestream.circuits") == 0);
    assert_eq!(bench.count("lifestream.pending_retries"), 0);
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_pauses_the_host_and_idle_does_not_wait_for_it() {
    let bench = Bench::new("run_later").await;
    let mut work = vec![task("first", 0, json!({"host": "busy", "do": "later"}))];
    bench.put(&work);
    bench.settle().await;
    assert_eq!(bench.answer(&work[0])["payload"]["not_before"], json!("2099-01-01T00:00:00Z"));
    // The next run knows: nothing is asked of that host, and everything of others.
    work.extend((1..5).map(|n| task(&format!("link:{n}"), n, json!({"host": "busy"}))));
    work.push(task("other", 9, json!({"host": "free"})));
    bench.put(&work);
    bench.settle().await;
    assert_eq!(
        bench.count("lifestream.pending_retries WHERE reason = 'circuit' AND not_before > now() + interval '20 hours'"),
        4
    );
    assert_eq!(bench.count("lifestream.events WHERE event_type = 'scripted.done'"), 1);
    assert_eq!(bench.psql("SELECT lane, state, failures FROM lifestream.circuits"), "busy|paused|1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_behind_a_redirect_does_not_pause_the_one_that_redirects() {
    let bench = Bench::new("run_behind").await;
    let behind: Vec<_> =
        (0..20).map(|n| task(&format!("behind:{n}"), n, json!({"host": "short", "do": "behind"}))).collect();
    bench.put(&behind);
    bench.put(&[task("alive", 1, json!({"host": "short"}))]);
    bench.settle().await;
    assert_eq!(bench.began("behind"), 20);
    assert_eq!(bench.answer(&behind[19])["payload"]["not_before"], json!("2099-01-01T00:00:00Z"));
    assert_eq!(bench.count("lifestream.events WHERE event_type = 'scripted.done'"), 1);
    assert_eq!(bench.count("lifestream.pending_retries"), 0);
    // It is the host behind it that is left alone.
    assert_eq!(bench.psql("SELECT lane, state FROM lifestream.circuits"), "dead|paused");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_the_state_is_not_ready_for_waits_with_its_attempt_and_is_no_hosts_fault() {
    let bench = Bench::new("run_lag").await;
    bench.world.is_down.store(true, Ordering::SeqCst);
    let work: Vec<_> = (0..25).map(|n| task(&format!("link:{n}"), n, json!({"host": "hook", "do": "lag"}))).collect();
    bench.put(&work);
    let waiting = "lifestream.pending_retries WHERE reason = 'state' AND attempt = 1 \
                   AND not_before BETWEEN now() AND now() + interval '61 s'";
    // More often than any attempt would bear.
    for _ in 0..4 {
        bench.settle().await;
        assert_eq!((bench.count(waiting), bench.count("lifestream.events")), (25, 0));
        bench.psql("UPDATE lifestream.pending_retries SET not_before = now()");
        dispatch_due(&bench);
    }
    assert_eq!(bench.count("lifestream.circuits WHERE lane <> 'the state'"), 0);
    bench.world.is_down.store(false, Ordering::SeqCst);
    bench.settle().await;
    assert_eq!(bench.count("lifestream.events WHERE event_type = 'scripted.done'"), 25);
    assert_eq!(bench.count("lifestream.pending_retries"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_makes_nothing_of_what_another_one_knows_and_forgets_what_is_old() {
    let bench = Bench::new("run_rows").await;
    let group = format!("{}{GROUP}", bench.pipeline.prefix);
    bench.psql(&format!(
        "INSERT INTO lifestream.circuits (consumer_group, lane, state, failures, until, last_error, holds_until) VALUES \
         ('{group}', 'old', 'probing', 12, NULL, 'of a member that was killed', now() - interval '1 s')"
    ));
    bench.world.is_down.store(true, Ordering::SeqCst);
    bench.put(&(0..6).map(|n| task(&format!("down:{n}"), n, json!({"host": "down"}))).collect::<Vec<_>>());
    let member = bench.start();
    let row = || bench.psql("SELECT state, holds_until > now() + interval '59 min' FROM lifestream.circuits");
    eventually(SOON, "it is slow, which is all that is left", || row() == "slow|t");
    let status = || bench.psql("SELECT last_error FROM lifestream.pipeline_status WHERE stage = 'scripted'");
    eventually(SOON, "status says so", || status() == "down is slow: 503 from down");
    // Another member has paused it until tomorrow: that one's end of the pause counts, whatever this one finds out.
    bench.psql("UPDATE lifestream.circuits SET state = 'paused', until = now() + interval '1 day', holds_until = now() + interval '25 hours'");
    bench.put(&(6..12).map(|n| task(&format!("down:{n}"), n, json!({"host": "down"}))).collect::<Vec<_>>());
    eventually(SOON, "this one pauses it too", || {
        bench.count("lifestream.pending_retries WHERE reason = 'circuit'") > 0
    });
    member.stop().await;
    let kept = bench.psql("SELECT state, until > now() + interval '23 hours' FROM lifestream.circuits");
    assert_eq!(kept, "paused|t");
    bench.psql("UPDATE lifestream.circuits SET holds_until = now()");
    assert_eq!(status(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_only_api_that_is_paused_leaves_its_backlog_in_kafka() {
    let mut bench = Bench::new("run_api").await;
    bench.has_one_lane = true;
    bench.world.is_down.store(true, Ordering::SeqCst);
    bench.put(&(0..1_200).map(|n| task(&format!("down:{n}"), n, json!({"host": "down"}))).collect::<Vec<_>>());
    let member = bench.start();
    eventually(SOON, "it is paused, and probed in vain", || {
        bench.count("lifestream.circuits WHERE state IN ('paused', 'probing') AND failures >= 11") == 1
    });
    assert_eq!(bench.count("lifestream.pending_retries"), 0);
    assert!(bench.began("down") < 30, "{}", bench.began("down"));
    // Work that waits for a pause is not awaited where all else is done.
    member.stop().await;
    bench.circuits.pause = SOON * 60;
    bench.psql("UPDATE lifestream.circuits SET state = 'paused', until = now() + interval '1 hour'");
    bench.settle().await;
    assert_eq!(bench.count("lifestream.pending_retries"), 0);
    bench.assert_none_lost();

    bench.world.is_down.store(false, Ordering::SeqCst);
    bench.psql("DELETE FROM lifestream.circuits");
    bench.settle().await;
    assert_eq!(bench.count("lifestream.events"), 1_200);
    assert_eq!(bench.count("lifestream.pending_retries"), 0);
}
