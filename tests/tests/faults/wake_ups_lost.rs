//! Nobody wakes the bridge, or its connections go dead without a word: found out and healed, polling meanwhile.

use std::time::Duration;

use lifestream_tests::load::LoadOptions;
use lifestream_tests::{Postgres, Program, Proxy, eventually};

use crate::stage::{SOON, Stage, kafka};

const LOAD: LoadOptions = LoadOptions { writers: 2, pace: Duration::from_millis(20), rare: 0 };

/// A bridge whose way to PostgreSQL leads through this.
fn bridge_through(stage: &Stage<'_>, line: &Proxy) -> Program {
    let postgres = Postgres::shared().port();
    let url = stage.pipeline.database.url().replace(&format!(":{postgres}/"), &format!(":{}/", line.port()));
    stage.spawn(&["bridge"], &[("DATABASE_URL", &url), ("LIFESTREAM_POLL_INTERVAL", "1s")])
}

fn published(log: &str) -> usize {
    log.matches(" publishing ").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_announces_is_found_by_the_timer() {
    let stage = Stage::new("not_announced", Postgres::shared(), kafka());
    let bridge = stage.spawn(&["bridge"], &[("LIFESTREAM_POLL_INTERVAL", "300ms")]);
    eventually(SOON, "it publishes", || bridge.log().contains("publishing"));
    stage.psql("SET lifestream.notify = off; SELECT lifestream.emit_event('load.done', 'quiet', 'quiet', '{}')");
    eventually(SOON, "it is found", || stage.count("lifestream.events WHERE published_to_kafka") == 1);
    eventually(SOON, "the bridge says so", || bridge.log().contains("found by the safety timer"));
    assert_eq!(bridge.terminate().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_cut_off_listens_again() {
    let stage = Stage::new("listener_cut", Postgres::shared(), kafka());
    // A timer that would not find anything in time.
    let bridge = stage.spawn(&["bridge"], &[("LIFESTREAM_POLL_INTERVAL", "10m")]);
    eventually(SOON, "it publishes", || bridge.log().contains("publishing"));
    let load = stage.load(LOAD);
    for round in 1..=3 {
        load.more(20).await;
        let listener = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
            WHERE datname = current_database() AND application_name = 'lifestream bridge'";
        assert_eq!(stage.psql(listener), "2");
        eventually(SOON, "it publishes again", || published(&bridge.log()) > round);
    }
    load.more(20).await;
    stage.assert_published_once(load).await;
    assert_eq!(bridge.terminate().code(), Some(0));
}

/// The server has forgotten the connection, or a firewall has: the bridge waits for an answer that will never come.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_dead_are_found_out() {
    let stage = Stage::new("line_dead", Postgres::shared(), kafka());
    let line = Proxy::to(Postgres::shared().port());
    let bridge = bridge_through(&stage, &line);
    let load = stage.load(LOAD);
    eventually(SOON, "it publishes", || bridge.log().contains("publishing"));
    load.more(50).await;
    line.go_dead();
    eventually(SOON, "it publishes again", || published(&bridge.log()) > 1);
    load.more(50).await;
    stage.assert_published_once(load).await;
    assert_eq!(bridge.terminate().code(), Some(0));
}

/// The same for one of its two connections, the one that listens and reads, while the lease is renewed by the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_listener_is_found_out_while_the_lease_lives() {
    let stage = Stage::new("listener_dead", Postgres::shared(), kafka());
    let line = Proxy::to(Postgres::shared().port());
    let bridge = bridge_through(&stage, &line);
    let load = stage.load(LOAD);
    eventually(SOON, "it publishes", || bridge.log().contains("publishing"));
    load.more(50).await;
    // The lease is taken by the first connection, the second one listens.
    line.go_dead_alone(1);
    eventually(SOON, "it publishes again", || published(&bridge.log()) > 1);
    load.more(50).await;
    stage.assert_published_once(load).await;
    assert_eq!(bridge.terminate().code(), Some(0));
}
