//! kill -9 of bridge, router, materializer and an agent, again and again. (At each of their steps: `crash_points.rs`.)

use std::time::Duration;

use lifestream_tests::load::LoadOptions;
use lifestream_tests::{Dice, Postgres};

use crate::parts::{BRIDGE, FETCHER, MATERIALIZER, Parts, ROUTER};
use crate::stage::{Stage, kafka};

#[tokio::test(flavor = "multi_thread")]
async fn parts_killed_again_and_again_lose_double_and_repeat_nothing() {
    let mut dice = Dice::of("CHAOS_SEED");
    let stage = Stage::new("kill_9", Postgres::shared(), kafka());
    let parts = Parts::start(&stage, [BRIDGE, BRIDGE, MATERIALIZER, ROUTER, FETCHER].map(|role| (role, Vec::new())));
    let load = stage.load(LoadOptions { writers: 3, pace: Duration::from_millis(5), rare: 0 });
    for round in 0..30 {
        load.more(60).await;
        // Every other time the one that publishes: all others only stand by or fall behind.
        let publishing = if round % 2 == 0 { parts.publishing_bridge() } else { None };
        parts.kill9(publishing.unwrap_or_else(|| dice.below(parts.len())));
        stage.save_links(2);
    }
    assert!(parts.kills() >= 30);
    stage.assert_nothing_wrong(load).await;
    parts.stop();
}
