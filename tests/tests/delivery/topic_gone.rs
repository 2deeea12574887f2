//! A topic that is not the one that was left (made again, cut off, with other partitions), records deleted: said by name, never a silent
//! skip.

use lifestream_tests::eventually;
use lifestream_tests::load::Load;
use lifestream_tests::oracle::Verdict;
use lifestream_tests::{Pipeline, Program};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};

use crate::found::{accept, last_error, note, refused, stands};
use crate::{SOON, drained, pipeline, unpublished};

fn admin(pipeline: &Pipeline<'_>) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", pipeline.kafka.brokers()).create().unwrap()
}

#[test]
fn a_topic_that_was_made_again_under_a_running_bridge_gets_nothing_until_a_reset() {
    let pipeline = pipeline("recreated");
    let (bridge, materializer) = (pipeline.spawn(&["bridge"]), pipeline.spawn(&["materializer"]));
    note(&pipeline.database, "before");
    drained(&pipeline.database);
    let taken = "SELECT count(*) FROM lifestream.event_ingest_dedupe";
    eventually(SOON, "it is applied", || pipeline.database.psql(taken) == "1");
    let topic = format!("{}events.raw", pipeline.prefix);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (admin, options) = (admin(&pipeline), AdminOptions::new());
    runtime.block_on(admin.delete_topics(&[&topic], &options)).unwrap();
    eventually(SOON, "it is missed", || last_error(&pipeline, "bridge").contains("topic_missing: "));
    stands(&pipeline, "bridge", "topic_missing", "lifestream init");
    let again = NewTopic::new(&topic, 3, TopicReplication::Fixed(1));
    eventually(SOON, "it is there again", || {
        runtime.block_on(admin.create_topics([&again], &options)).unwrap()[0].is_ok()
    });
    eventually(SOON, "the bridge tells", || last_error(&pipeline, "bridge").contains("topic_recreated: "));
    eventually(SOON, "the materializer tells", || last_error(&pipeline, "materializer").contains("topic_recreated: "));
    stands(&pipeline, "bridge", "topic_recreated", "lifestream reset");
    note(&pipeline.database, "after");
    for part in [bridge, materializer] {
        assert_eq!(part.terminate().code(), Some(0));
    }
    refused(&pipeline, &["bridge", "--until-idle"], &["topic_recreated: "]);
    assert_eq!((unpublished(&pipeline.database), pipeline.events().len()), (1, 0));
    pipeline.run(&["reset", "--yes"]);
    pipeline.settle();
    assert_eq!(pipeline.events().len(), 2);
    assert_eq!(pipeline.database.psql(taken), "2");
    assert_eq!(last_error(&pipeline, "bridge") + &last_error(&pipeline, "materializer"), "");
}

#[test]
fn a_topic_made_again_before_anything_was_published_is_taken_as_it_is() {
    let pipeline = pipeline("recreated_empty");
    pipeline.run(&["bridge", "--until-idle"]);
    let topic = format!("{}events.raw", pipeline.prefix);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (admin, options) = (admin(&pipeline), AdminOptions::new());
    runtime.block_on(admin.delete_topics(&[&topic], &options)).unwrap();
    let again = NewTopic::new(&topic, 3, TopicReplication::Fixed(1));
    eventually(SOON, "it is there again", || {
        runtime.block_on(admin.create_topics([&again], &options)).unwrap()[0].is_ok()
    });
    note(&pipeline.database, "n");
    pipeline.run(&["bridge", "--until-idle"]);
    assert_eq!((unpublished(&pipeline.database), pipeline.events().len()), (0, 1));
}

#[test]
fn settings_that_lead_to_another_kafka_publish_nothing_there_and_are_forgotten_once_they_are_right() {
    let pipeline = pipeline("elsewhere");
    note(&pipeline.database, "before");
    pipeline.settle();
    let elsewhere = Pipeline {
        database: pipeline.database.clone(),
        kafka: pipeline.kafka,
        prefix: format!("else-{}", pipeline.prefix),
        settings: Vec::new(),
    };
    elsewhere.run(&["init"]);
    note(&pipeline.database, "after");
    refused(&elsewhere, &["bridge", "--until-idle"], &["topic_recreated: ", "KAFKA_TOPIC_PREFIX"]);
    assert_eq!((unpublished(&pipeline.database), elsewhere.events().len()), (1, 0));
    pipeline.settle();
    assert_eq!((pipeline.events().len(), last_error(&pipeline, "bridge").as_str()), (2, ""));
}

/// As after an unclean election, or a broker's disk that lost what was not synced.
#[test]
fn a_topic_that_has_lost_its_end_does_not_grow_past_the_loss() {
    let pipeline = pipeline("shortened");
    note(&pipeline.database, "before");
    pipeline.settle();
    pipeline.database.psql(
        "UPDATE lifestream.bridge_progress SET offsets = ARRAY(SELECT at + 3 FROM unnest(offsets) at); \
         UPDATE lifestream.kafka_offsets SET \"offset\" = \"offset\" + 3",
    );
    note(&pipeline.database, "after");
    refused(&pipeline, &["materializer", "--until-idle"], &["topic_shortened: "]);
    refused(&pipeline, &["bridge", "--until-idle"], &["topic_shortened: ", "lifestream reset"]);
    stands(&pipeline, "bridge", "topic_shortened", "lifestream reset");
    assert_eq!((unpublished(&pipeline.database), pipeline.events().len()), (1, 1));
    // Grown past the loss, the topic looks whole: the materializer remembers.
    accept(&pipeline, "topic_shortened");
    for _ in 0..30 {
        note(&pipeline.database, "more");
    }
    pipeline.run(&["bridge", "--until-idle"]);
    refused(&pipeline, &["materializer", "--until-idle"], &["topic_shortened: "]);
}

#[test]
fn records_deleted_under_running_consumers_are_told_by_both_until_somebody_says_that_it_is_dealt_with() {
    let pipeline = pipeline("deleted_records");
    let bridge = pipeline.spawn(&["bridge"]);
    let consumers = || [pipeline.spawn(&["materializer"]), pipeline.spawn(&["router"])];
    let running = consumers();
    note(&pipeline.database, "before");
    let taken = "SELECT count(*) FROM lifestream.event_ingest_dedupe";
    let routed = "SELECT coalesce(sum(committed), 0) FROM lifestream.consumer_progress";
    eventually(SOON, "both are at work", || {
        pipeline.database.psql(taken) == "1" && pipeline.database.psql(routed) == "1"
    });
    running.iter().for_each(Program::sigstop);
    for _ in 0..20 {
        note(&pipeline.database, "before");
    }
    drained(&pipeline.database);
    let topic = format!("{}events.raw", pipeline.prefix);
    let mut all = TopicPartitionList::new();
    for partition in 0..3 {
        all.add_partition_offset(&topic, partition, Offset::End).unwrap();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(admin(&pipeline).delete_records(&all, &AdminOptions::new())).unwrap();
    running.iter().for_each(Program::sigcont);
    let applied = |id: &str| format!("SELECT count(*) FROM lifestream.event_ingest_dedupe WHERE event_id = '{id}'");
    let went_on = |id: &str, records: &str| {
        eventually(SOON, "they go on", || {
            pipeline.database.psql(&applied(id)) == "1" && pipeline.database.psql(routed) == records
        });
    };
    let after = note(&pipeline.database, "after");
    eventually(SOON, "the materializer tells", || last_error(&pipeline, "materializer").contains("records_deleted: "));
    eventually(SOON, "the router tells", || last_error(&pipeline, "router").contains("work_records_deleted: "));
    stands(&pipeline, "materializer", "records_deleted", "lifestream rebuild all");
    stands(&pipeline, "router", "work_records_deleted", "lifestream replay");
    went_on(&after, "22");
    for part in running {
        assert_eq!(part.terminate().code(), Some(0));
    }
    // Others know of it too.
    let running = consumers();
    went_on(&note(&pipeline.database, "later"), "23");
    assert!(last_error(&pipeline, "router").contains("work_records_deleted: "));
    accept(&pipeline, "records_deleted");
    accept(&pipeline, "work_records_deleted");
    went_on(&note(&pipeline.database, "last"), "24");
    assert_eq!(last_error(&pipeline, "router") + &last_error(&pipeline, "materializer"), "");
    for part in running.into_iter().chain([bridge]) {
        assert_eq!(part.terminate().code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_added_under_load_keep_every_subject_in_order_for_who_is_at_work() {
    let pipeline = pipeline("partitions");
    pipeline.database.psql(
        "CREATE TABLE public.calls (subject_id text, seq bigint, call bigserial); \
         CREATE FUNCTION public.count_call(e lifestream.events) RETURNS void LANGUAGE sql AS \
             'INSERT INTO calls (subject_id, seq) VALUES (e.subject_id, e.seq)'; \
         SELECT lifestream.add_projection('load.done', 'public.count_call', '{public.calls}')",
    );
    let (bridge, materializer) = (pipeline.spawn(&["bridge"]), pipeline.spawn(&["materializer"]));
    let load = Load::start(&pipeline.database.url(), 3);
    let applied = || pipeline.database.psql("SELECT count(*) FROM public.calls").parse::<usize>().unwrap();
    eventually(SOON, "both are at work", || applied() > 100);
    let topic = format!("{}events.raw", pipeline.prefix);
    let more = NewPartitions::new(&topic, 8);
    admin(&pipeline).create_partitions([&more], &AdminOptions::new()).await.unwrap();
    eventually(SOON, "the bridge sees them", || bridge.log().contains("partitions were added"));
    load.more(300).await;
    let oracle = load.stop().await;
    drained(&pipeline.database);
    eventually(SOON, "all is applied", || applied() == pipeline.events().len());
    let disorder = "SELECT count(*) FROM (SELECT seq - lag(seq) OVER (PARTITION BY subject_id ORDER BY call) AS step FROM public.calls) s WHERE step < 0";
    assert_eq!(pipeline.database.psql(disorder), "0");
    assert_eq!(oracle.judge(&pipeline.events(), None), Verdict::default(), "{} events", oracle.committed());
    assert!(pipeline.events().iter().any(|record| record.partition >= 3), "no key has moved");
    assert_eq!(last_error(&pipeline, "bridge"), "");
    for part in [bridge, materializer] {
        assert_eq!(part.terminate().code(), Some(0));
    }
}

#[test]
fn partitions_added_while_nobody_reads_are_told_by_name() {
    let pipeline = pipeline("partitions_unread");
    note(&pipeline.database, "n");
    pipeline.settle();
    note(&pipeline.database, "n");
    pipeline.run(&["bridge", "--until-idle"]);
    let topic = format!("{}events.raw", pipeline.prefix);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let more = NewPartitions::new(&topic, 5);
    runtime.block_on(admin(&pipeline).create_partitions([&more], &AdminOptions::new())).unwrap();
    note(&pipeline.database, "n");
    pipeline.run(&["bridge", "--until-idle"]);
    stands(&pipeline, "bridge", "partitions_added", "accept_finding('partitions_added')");
    assert!(last_error(&pipeline, "bridge").contains("materializer-v1"));
    pipeline.run(&["materializer", "--until-idle"]);
    assert_eq!(pipeline.database.psql("SELECT count(*) FROM lifestream.event_ingest_dedupe"), "3");
}
