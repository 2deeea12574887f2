//! Several members, and members that come and go.

use std::time::Duration;

use lifestream_envelope::kafka::Kafka as Client;
use lifestream_envelope::work::Work;
use lifestream_tests::work::{WorkTopic, settings};
use lifestream_tests::{Kafka, Pipeline, Postgres, eventually};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;

use crate::bench::{Bench, GROUP, SOON, by_subject, task};

/// A repeat may come behind what it repeats, never before it is done for the first time.
fn assert_order(ended: &[(String, i64)]) {
    for (subject, numbers) in by_subject(ended) {
        let mut first = Vec::new();
        for n in numbers {
            if !first.contains(&n) {
                first.push(n);
            }
        }
        assert!(first.is_sorted(), "{subject}: {first:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_come_and_go_leave_every_task_answered_in_its_order() {
    let bench = Bench::new("run_members").await;
    let work: Vec<Work> = (0..900).map(|n| task(&format!("link:{}", n % 30), n, json!({"do": "pause"}))).collect();
    bench.put(&work[..300]);
    let first = bench.start();
    let done = || bench.count("lifestream.events");
    eventually(SOON, "one works", || done() > 50);
    let second = bench.start();
    bench.put(&work[300..600]);
    eventually(SOON, "both work", || done() > 350);
    first.stop().await;
    bench.put(&work[600..]);
    let third = bench.start();
    eventually(SOON, "all is done", || done() == 900);
    second.stop().await;
    third.stop().await;
    assert_order(&bench.world.seen.lock().unwrap().ended);
    // Whoever comes next has nothing to do.
    let before = bench.world.seen.lock().unwrap().began.len();
    bench.settle().await;
    assert_eq!(bench.world.seen.lock().unwrap().began.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_outlives_a_rebalance_where_its_partition_stays() {
    let bench = Bench::new("run_stays").await;
    // One in each partition, whichever that is.
    let work: Vec<_> = (0..8).map(|n| task(&format!("link:{n}"), n, json!({"do": "wait"}))).collect();
    bench.put(&work);
    let first = bench.start();
    let began = || bench.world.seen.lock().unwrap().began.len();
    eventually(SOON, "all have begun", || began() == 8);
    let second = bench.start();
    // What went to the second member begins there once more; what stays does not.
    eventually(SOON, "the second member has its part", || began() > 8);
    bench.world.gate.add_permits(100);
    eventually(SOON, "all is done", || bench.count("lifestream.events") == 8);
    assert!(began() < 16, "{}", began());
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_lets_running_tasks_end_and_begins_none() {
    let bench = Bench::new("run_stop").await;
    let work: Vec<_> = (0..40).map(|n| task(&format!("link:{n}"), n, json!({"do": "wait"}))).collect();
    bench.put(&work);
    let member = bench.start();
    let began = || bench.world.seen.lock().unwrap().began.len();
    eventually(SOON, "as many run as may", || began() == 8);
    let stopping = tokio::spawn(member.stop());
    bench.world.gate.add_permits(100);
    stopping.await.unwrap();
    let answered = bench.count("lifestream.events");
    assert_eq!((answered, i64::try_from(began()).unwrap() - answered), (answered, 0));
    bench.settle().await;
    // Each was done once: what was committed is not done again, what was not begun is done now.
    assert_eq!((bench.count("lifestream.events"), began()), (40, 40));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_made_late_is_waited_for() {
    let pipeline = Pipeline::new("run_late", Postgres::shared(), Kafka::shared());
    let mut program = pipeline.spawn(&["agent", "fetcher"]);
    eventually(SOON, "it says what is missing", || program.log().contains("work.fetch_link does not exist"));
    assert!(program.is_running());
    WorkTopic::create(&pipeline, "fetch_link").await;
    eventually(SOON, "it works", || program.log().contains("partitions assigned"));
    assert_eq!(program.log().matches("does not exist").count(), 1);
    assert_eq!(program.terminate().code(), Some(0));
    drop(settings(&pipeline));
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_of_another_topic_by_that_name_do_not_say_that_all_is_done() {
    let bench = Bench::new("run_again").await;
    bench.put(&(0..6).map(|n| task(&format!("link:{n}"), n, json!({}))).collect::<Vec<_>>());
    // As the group leaves them when its topic is deleted and made again.
    let mut config = Client::new(&bench.settings.kafka).unwrap().consumer_config(GROUP);
    let consumer: BaseConsumer = config.set("enable.auto.commit", "false").create().unwrap();
    let mut before = TopicPartitionList::new();
    for partition in 0..3 {
        let mut offset = before.add_partition(bench.topic.name(), partition);
        offset.set_offset(Offset::Offset(20)).unwrap();
        offset.set_metadata("the id of the topic before");
    }
    eventually(SOON, "Kafka takes it", || consumer.commit(&before, CommitMode::Sync).is_ok());
    drop(consumer);
    bench.settle().await;
    assert_eq!(bench.count("lifestream.events"), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_told_until_all_is_done() {
    let bench = Bench::new("run_progress").await;
    bench.put(&(0..30).map(|n| task(&format!("link:{n}"), n, json!({}))).collect::<Vec<_>>());
    bench.settle().await;
    let row = bench.psql("SELECT backlog, consumer_group FROM lifestream.pipeline_status WHERE stage = 'scripted'");
    assert_eq!(row, format!("0|{}scripted-v1", bench.pipeline.prefix));
    let total: i64 = bench.psql("SELECT sum(committed) FROM lifestream.consumer_progress").parse().unwrap();
    assert_eq!(total, 30);
    // Kafka's own tools see the same.
    bench.put(&[task("link:x", 1, json!({"do": "wait"}))]);
    let member = bench.start();
    eventually(SOON, "status shows what is not done", || {
        bench.psql("SELECT sum(high - committed) FROM lifestream.consumer_progress") == "1"
    });
    bench.world.gate.add_permits(1);
    eventually(Duration::from_secs(30), "and that it is done", || {
        bench.psql("SELECT sum(high - committed) FROM lifestream.consumer_progress") == "0"
    });
    member.stop().await;
}
