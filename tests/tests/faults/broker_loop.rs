//! Brokers that restart in a loop, or do not answer for so long that messages time out: nothing is lost, nothing changes places.

use std::process::Command;
use std::time::Duration;

use lifestream_tests::load::LoadOptions;
use lifestream_tests::{Dice, Kafka, KafkaOptions, Postgres, eventually};

use crate::stage::{SOON, Stage, short_sessions};

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_come_and_go_lose_and_reorder_nothing() {
    let mut dice = Dice::of("CHAOS_SEED");
    let kafka =
        Kafka::start_with(&KafkaOptions { brokers: 3, properties: short_sessions(), ..KafkaOptions::default() });
    let stage = Stage::new("broker_loop", Postgres::shared(), &kafka);
    let bridge = stage.spawn(&["bridge"], &[]);
    let materializer = stage.spawn(&["materializer"], &[]);
    let load = stage.load(LoadOptions { writers: 2, pace: Duration::from_millis(5), rare: 0 });
    eventually(SOON, "the bridge publishes", || bridge.log().contains("publishing"));
    for number in dice.shuffled(vec![0, 1, 2]) {
        load.more(50).await;
        kafka.kill9_broker(number);
        load.more(50).await;
        kafka.start_broker_again(number);
    }
    // Longer than a message lives in the client: the epoch ends before, and another one finds out what has arrived.
    let pids: Vec<u32> = (0..kafka.size()).map(|number| kafka.pid_of(number)).collect();
    signal(&pids, "STOP");
    eventually(SOON, "the bridge notices", || bridge.log().contains("does not acknowledge"));
    load.more(50).await;
    signal(&pids, "CONT");
    load.more(50).await;
    stage.assert_nothing_wrong(load).await;
    for part in [bridge, materializer] {
        assert_eq!(part.terminate().code(), Some(0));
    }
}

fn signal(pids: &[u32], name: &str) {
    let pids = pids.iter().map(u32::to_string);
    let status = Command::new("kill").args(["-s", name, "--"]).args(pids).status().unwrap();
    assert!(status.success(), "SIG{name}: {status}");
}
