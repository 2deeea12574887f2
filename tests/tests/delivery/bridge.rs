//! The bridge goes away: it is told to end, killed, stopped, overtaken.

use std::time::Duration;

use lifestream_tests::eventually;

use crate::load::{Load, assert_nothing_wrong};
use crate::{SOON, drained, pipeline, unpublished};

#[test]
fn an_ordinary_restart_sends_nothing_twice_and_writes_no_marker() {
    let pipeline = pipeline("restart");
    for round in 1..=3 {
        pipeline.database.psql("SELECT lifestream.emit_event('note.created', 'note', 'n', '{}')");
        pipeline.run(&["bridge", "--until-idle"]);
        assert_eq!(pipeline.records("events.raw").len(), round, "one event a round, no markers");
    }
}

/// A crash with `synchronous_commit` off, a promotion or a snapshot may bring back the row of an epoch that had closed.
#[test]
fn progress_that_went_back_to_a_closed_epoch_sends_nothing_twice() {
    let pipeline = pipeline("older_progress");
    let emit = || pipeline.database.psql("SELECT lifestream.emit_event('note.created', 'note', 'n', '{}')");
    emit();
    pipeline.run(&["bridge", "--until-idle"]);
    pipeline.database.psql("CREATE TABLE older AS TABLE lifestream.bridge_progress");
    emit();
    pipeline.run(&["bridge", "--until-idle"]);
    pipeline.database.psql(
        "UPDATE lifestream.bridge_progress p SET watermark = o.watermark, high = o.high, offsets = o.offsets, closed = o.closed \
         FROM older o; \
         UPDATE lifestream.events SET published_to_kafka = false WHERE seq > (SELECT high FROM older)",
    );
    pipeline.run(&["bridge", "--until-idle"]);
    assert_eq!(unpublished(&pipeline.database), 0);
    assert_eq!(pipeline.events().len(), 2);
}

#[test]
fn a_start_that_takes_longer_than_the_lease_keeps_it() {
    let pipeline = pipeline("slow_start");
    pipeline.run(&["bridge", "--until-idle"]);
    pipeline.database.psql("SELECT lifestream.emit_event('note.created', 'note', 'n', '{}')");
    std::thread::scope(|scope| {
        // The start procedure waits for this lock, as it would read for long after a long outage.
        scope.spawn(|| {
            pipeline
                .database
                .psql("BEGIN; LOCK TABLE lifestream.events IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(20); COMMIT");
        });
        let locked = "SELECT count(*) FROM pg_locks WHERE relation = 'lifestream.events'::regclass AND mode = 'AccessExclusiveLock'";
        eventually(SOON, "the table is locked", || pipeline.database.psql(locked) == "1");
        let bridges = [pipeline.spawn(&["bridge"]), pipeline.spawn(&["bridge"])];
        eventually(SOON, "one publishes", || bridges.iter().any(|bridge| bridge.log().contains("publishing")));
        eventually(SOON, "the event has its flag", || unpublished(&pipeline.database) == 0);
        for bridge in bridges {
            assert!(!bridge.log().contains("WARN"), "a slow start is no outage:\n{}", bridge.log());
            assert_eq!(bridge.terminate().code(), Some(0));
        }
    });
}

#[test]
fn a_server_that_does_not_answer_holds_up_no_end_and_a_second_signal_leaves_at_once() {
    let pipeline = pipeline("two_signals");
    let bridges = [pipeline.spawn(&["bridge"]), pipeline.spawn(&["bridge"])];
    eventually(SOON, "one publishes", || bridges.iter().any(|bridge| bridge.log().contains("publishing")));
    eventually(SOON, "one stands by", || bridges.iter().any(|bridge| bridge.log().contains("standing by")));
    let [mut first, mut second] = bridges;
    if second.log().contains("publishing") {
        std::mem::swap(&mut first, &mut second);
    }
    // Nothing to drain: a bridge that stands by goes with the first signal.
    assert_eq!(second.terminate().code(), Some(0));
    let lock = "BEGIN; LOCK TABLE lifestream.bridge_progress IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(14); COMMIT";
    let locked = "SELECT count(*) FROM pg_locks WHERE relation = 'lifestream.bridge_progress'::regclass AND mode = 'AccessExclusiveLock' AND granted";
    std::thread::scope(|scope| {
        scope.spawn(|| pipeline.database.psql(lock));
        eventually(SOON, "the progress is locked", || pipeline.database.psql(locked) == "1");
        first.signal("INT");
        assert_eq!(first.wait(Duration::from_secs(12)).code(), Some(0), "the first signal drains, but not for ever");
    });
    let third = pipeline.spawn(&["bridge"]);
    eventually(SOON, "it publishes", || third.log().contains("publishing"));
    std::thread::scope(|scope| {
        scope.spawn(|| pipeline.database.psql(&lock.replace("14", "4")));
        eventually(SOON, "the progress is locked", || pipeline.database.psql(locked) == "1");
        third.signal("INT");
        eventually(SOON, "it drains", || third.log().contains("once more to leave at once"));
        third.signal("INT");
        assert_eq!(third.wait(Duration::from_secs(2)).code(), Some(130));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_again_and_again_loses_nothing_and_sends_nothing_twice() {
    let pipeline = pipeline("kill_9");
    let load = Load::start(&pipeline.database.url(), 4);
    for _ in 0..8 {
        let bridge = pipeline.spawn(&["bridge"]);
        load.more(300).await;
        bridge.kill9();
    }
    let oracle = load.stop().await;
    pipeline.run(&["bridge", "--until-idle"]);
    assert_eq!(unpublished(&pipeline.database), 0);
    assert_nothing_wrong(&oracle, &pipeline);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_bridges_one_publishes_and_the_other_takes_over_at_once() {
    let pipeline = pipeline("two_bridges");
    let first = pipeline.spawn(&["bridge"]);
    eventually(SOON, "the first publishes", || first.log().contains("publishing"));
    let second = pipeline.spawn(&["bridge"]);
    eventually(SOON, "the second stands by", || second.log().contains("standing by"));
    let load = Load::start(&pipeline.database.url(), 2);
    load.more(200).await;
    let killed = std::time::Instant::now();
    first.kill9();
    eventually(SOON, "the second publishes", || second.log().contains("publishing"));
    assert!(killed.elapsed() < Duration::from_secs(5), "taking over took {:?}", killed.elapsed());
    load.more(200).await;
    let oracle = load.stop().await;
    drained(&pipeline.database);
    assert_nothing_wrong(&oracle, &pipeline);
    assert_eq!(second.terminate().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bridge_stopped_past_its_lease_changes_nothing_when_it_goes_on() {
    let pipeline = pipeline("stopped");
    let first = pipeline.spawn(&["bridge"]);
    eventually(SOON, "the first publishes", || first.log().contains("publishing"));
    let load = Load::start(&pipeline.database.url(), 2);
    load.more(100).await;
    first.sigstop();
    let second = pipeline.spawn(&["bridge"]);
    eventually(SOON, "the second publishes", || second.log().contains("publishing"));
    load.more(100).await;
    first.sigcont();
    eventually(SOON, "the first stands by", || first.log().contains("standing by"));
    load.more(100).await;
    let oracle = load.stop().await;
    drained(&pipeline.database);
    assert_nothing_wrong(&oracle, &pipeline);
    for bridge in [first, second] {
        assert_eq!(bridge.terminate().code(), Some(0));
    }
}
