//! The bridge starts and ends. (Killed, stopped, overtaken: the program `faults`.)

use std::time::Duration;

use lifestream_tests::eventually;

use crate::{SOON, pipeline, unpublished};

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
