//! PostgreSQL away at the start, restarted, crashed under load, backends terminated: every part reconnects by itself.

use std::time::Duration;

use lifestream_tests::load::LoadOptions;
use lifestream_tests::{Postgres, PostgresOptions, eventually};

use crate::parts::{BRIDGE, FETCHER, MATERIALIZER, Parts, ROUTER};
use crate::stage::{SOON, Stage, kafka};

#[tokio::test(flavor = "multi_thread")]
async fn postgres_restarted_and_crashed_under_load_loses_and_doubles_nothing() {
    let postgres = Postgres::start_with(&PostgresOptions { settings: vec!["fsync=on".into()], ..Default::default() });
    let stage = Stage::new("postgres_restarts", &postgres, kafka());
    postgres.stop("fast");
    let parts = Parts::start(&stage, [BRIDGE, MATERIALIZER, ROUTER, FETCHER].map(|role| (role, Vec::new())));
    eventually(SOON, "the bridge says that Postgres is away", || {
        parts.hold(0).as_ref().is_some_and(|bridge| bridge.log().contains("DATABASE_URL"))
    });
    postgres.start_again();
    let load = stage.load(LoadOptions { writers: 3, pace: Duration::from_millis(2), rare: 0 });
    load.more(300).await;
    stage.save_links(20);
    postgres.restart();
    load.more(300).await;
    postgres.stop_immediate();
    postgres.start_again();
    load.more(300).await;
    stage.save_links(20);
    postgres.terminate_backends();
    load.more(300).await;
    stage.assert_nothing_wrong(load).await;
    parts.assert_all_run();
    parts.stop();
}
