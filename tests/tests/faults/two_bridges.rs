//! Two bridges: one publishes. One that was stopped, also past its lease, changes nothing when it goes on.

use std::time::Duration;

use lifestream_tests::load::LoadOptions;
use lifestream_tests::{Postgres, eventually};

use crate::stage::{SOON, Stage, kafka};

const LOAD: LoadOptions = LoadOptions { writers: 2, pace: Duration::from_millis(2), rare: 0 };

#[tokio::test(flavor = "multi_thread")]
async fn of_two_bridges_one_publishes_and_the_other_takes_over_at_once() {
    let stage = Stage::new("two_bridges", Postgres::shared(), kafka());
    let first = stage.spawn(&["bridge"], &[]);
    eventually(SOON, "the first publishes", || first.log().contains("publishing"));
    let second = stage.spawn(&["bridge"], &[]);
    eventually(SOON, "the second stands by", || second.log().contains("standing by"));
    let load = stage.load(LOAD);
    load.more(200).await;
    let killed = std::time::Instant::now();
    first.kill9();
    eventually(SOON, "the second publishes", || second.log().contains("publishing"));
    assert!(killed.elapsed() < Duration::from_secs(10), "taking over took {:?}", killed.elapsed());
    load.more(200).await;
    assert!(!second.log().contains("WARN"), "what it saw while it stood by is no longer so:\n{}", second.log());
    stage.assert_published_once(load).await;
    assert_eq!(second.terminate().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_stopped_past_its_lease_changes_nothing_when_it_goes_on() {
    let stage = Stage::new("stopped", Postgres::shared(), kafka());
    let first = stage.spawn(&["bridge"], &[]);
    eventually(SOON, "the first publishes", || first.log().contains("publishing"));
    let load = stage.load(LOAD);
    load.more(100).await;
    first.sigstop();
    let second = stage.spawn(&["bridge"], &[]);
    eventually(SOON, "the second publishes", || second.log().contains("publishing"));
    load.more(100).await;
    // What the stale one would write: were it let through, this would be overwritten.
    let epoch = || stage.psql("SELECT epoch, holder_pid FROM lifestream.bridge_progress");
    let newest = epoch();
    first.sigcont();
    eventually(SOON, "the first stands by", || first.log().contains("standing by"));
    assert_eq!(epoch(), newest, "it took back what was no longer its own");
    load.more(100).await;
    stage.assert_published_once(load).await;
    for bridge in [first, second] {
        assert_eq!(bridge.terminate().code(), Some(0));
    }
}

/// The last line of defence: whatever made the other one believe that it may, the epoch is in the statement that writes.
#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_that_is_not_the_newest_writes_nothing() {
    let stage = Stage::new("stale_epoch", Postgres::shared(), kafka());
    let bridge = stage.spawn(&["bridge"], &[]);
    eventually(SOON, "it publishes", || bridge.log().contains("publishing"));
    // Another one has it, and this one's session lives on.
    stage.psql("UPDATE lifestream.bridge_progress SET epoch = epoch + 1, saved_at = 'epoch'");
    stage.psql("SELECT lifestream.emit_event('load.done', 'stale', 'stale', '{}')");
    eventually(SOON, "it is told off", || bridge.log().contains("is no longer the newest"));
    // By a new epoch it may, and finds in the topic what it had sent.
    eventually(SOON, "it begins anew", || bridge.log().matches(" publishing ").count() == 2);
    eventually(SOON, "the event has its flag", || stage.count("lifestream.events WHERE published_to_kafka") == 1);
    assert_eq!(stage.pipeline.events().len(), 1);
    assert_eq!(bridge.terminate().code(), Some(0));
}

/// Stopped for about as long as a message lives in the client: some time out, some do not, and their order holds.
#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_stopped_for_as_long_as_its_messages_live_keeps_their_order() {
    let stage = Stage::new("stopped_briefly", Postgres::shared(), kafka());
    let bridge = stage.spawn(&["bridge"], &[]);
    let load = stage.load(LOAD);
    for milliseconds in [3_900, 7_700, 8_300] {
        load.more(200).await;
        bridge.sigstop();
        std::thread::sleep(Duration::from_millis(milliseconds));
        bridge.sigcont();
        load.more(200).await;
    }
    stage.assert_published_once(load).await;
    assert_eq!(bridge.terminate().code(), Some(0));
}

/// A start may find a million events that lack their flag. Setting them takes longer than the lease lasts.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_much_to_flag_keeps_its_lease() {
    let stage = Stage::new("much_to_flag", Postgres::shared(), kafka());
    stage.pipeline.run(&["bridge", "--until-idle"]);
    stage.psql("CREATE TABLE older AS TABLE lifestream.bridge_progress");
    stage.psql("SELECT count(lifestream.emit_event('load.done', 'much', 'much-' || i % 50, '{}')) FROM generate_series(1, 9000) i");
    stage.pipeline.run(&["bridge", "--until-idle"]);
    // As a crash leaves it that loses what was saved without waiting for the disk; on a disk that is slow.
    stage.psql(
        "UPDATE lifestream.bridge_progress p SET watermark = o.watermark, high = o.high, offsets = o.offsets, closed = false FROM older o;
         UPDATE lifestream.events SET published_to_kafka = false;
         CREATE FUNCTION public.slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.0022); RETURN NEW; END $$;
         CREATE TRIGGER slowly BEFORE UPDATE ON lifestream.events FOR EACH ROW EXECUTE FUNCTION public.slowly()",
    );
    let bridges = [stage.spawn(&["bridge"], &[]), stage.spawn(&["bridge"], &[])];
    eventually(SOON, "one publishes", || bridges.iter().any(|bridge| bridge.log().contains("publishing")));
    assert_eq!(stage.count("lifestream.events WHERE NOT published_to_kafka"), 0);
    assert_eq!(stage.pipeline.events().len(), 9_000, "sent twice");
    for bridge in bridges {
        assert!(!bridge.log().contains("WARN"), "the lease ran out while flags were set:\n{}", bridge.log());
        assert_eq!(bridge.terminate().code(), Some(0));
    }
}
