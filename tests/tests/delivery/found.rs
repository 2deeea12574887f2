//! What is not as it was left: said by name, with what to do; sorted out where nothing can be lost by that, else a person is asked.

use std::process::Stdio;

use lifestream_tests::{Database, Finished, Kafka, Pipeline, Postgres, Program, eventually};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};

use crate::{SOON, assert_arrived_in_order, drained, pipeline, unpublished};

fn note(database: &Database<'_>, subject: &str) -> String {
    database.psql(&format!("SELECT lifestream.emit_event('note.created', 'note', '{subject}', '{{}}')"))
}

fn admin(pipeline: &Pipeline<'_>) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", pipeline.kafka.brokers()).create().unwrap()
}

/// Ends with an error that says this.
#[track_caller]
fn refused(pipeline: &Pipeline<'_>, arguments: &[&str], words: &[&str]) {
    let Finished { status, stderr, .. } = Program::run_with(arguments, &pipeline.environment(), b"");
    assert!(!status.success(), "{arguments:?} went on: {stderr}");
    assert!(words.iter().all(|words| stderr.contains(words)), "{arguments:?}: {words:?} in {stderr}");
}

fn last_error(pipeline: &Pipeline<'_>, stage: &str) -> String {
    let sql = format!("SELECT last_error FROM lifestream.pipeline_status WHERE stage = '{stage}'");
    pipeline.database.psql(&sql)
}

/// It stands in the status, and doctor names it with what to do.
#[track_caller]
fn stands(pipeline: &Pipeline<'_>, stage: &str, name: &str, remedy: &str) {
    let status = last_error(pipeline, stage);
    assert!(status.contains(&format!("{name}: ")) && status.contains(remedy), "{status}");
    let doctor = Program::run_with(&["doctor"], &pipeline.environment(), b"");
    assert!(!doctor.status.success(), "{}", doctor.stdout);
    assert!(doctor.stdout.contains(&format!("{name}: ")) && doctor.stdout.contains(remedy), "{}", doctor.stdout);
}

fn accept(pipeline: &Pipeline<'_>, name: &str) {
    pipeline.database.psql(&format!("SELECT lifestream.accept_finding('{name}')"));
}

/// A copy of the database in the same cluster, which shares topics and groups with it.
fn copy<'a>(pipeline: &Pipeline<'a>, name: &str) -> Pipeline<'a> {
    let Database { postgres, name: original } = &pipeline.database;
    let database = postgres.empty_database(name);
    let mut dump = postgres.program("pg_dump").args(["--dbname", original]).stdout(Stdio::piped()).spawn().unwrap();
    let read = postgres
        .program("psql")
        .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", name])
        .stdin(dump.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    assert!(dump.wait().unwrap().success());
    Pipeline { database, kafka: pipeline.kafka, prefix: pipeline.prefix.clone(), settings: Vec::new() }
}

#[test]
fn a_copy_that_shares_the_topic_takes_and_sends_nothing_until_a_person_says_that_the_other_is_gone() {
    let original = pipeline("copied");
    note(&original.database, "before");
    original.settle();
    let copy = copy(&original, "copied_copy");
    let lost = note(&original.database, "after the copy");
    original.settle();
    note(&copy.database, "in the copy");
    refused(&copy, &["materializer", "--until-idle"], &["database_restored", "lifestream bridge"]);
    refused(&copy, &["bridge", "--until-idle"], &["database_restored: ", "KAFKA_TOPIC_PREFIX", "accept_finding"]);
    for part in
        [&["materializer", "--until-idle"][..], &["router", "--until-idle"], &["agent", "fetcher", "--until-idle"]]
    {
        refused(&copy, part, &["database_restored: "]);
    }
    stands(&copy, "bridge", "database_restored", "accept_finding('database_restored')");
    assert_eq!((unpublished(&copy.database), original.events().len()), (1, 2));

    accept(&copy, "database_restored");
    copy.settle();
    assert_eq!((unpublished(&copy.database), original.events().len()), (0, 3));
    // What the other committed since the copy was made is not here: it is said, with its id, until that is dealt with.
    stands(&copy, "bridge", "lost_events", "lifestream import");
    assert!(last_error(&copy, "bridge").contains(&lost), "{}", last_error(&copy, "bridge"));
    accept(&copy, "lost_events");
    copy.run(&["bridge", "--until-idle"]);
    assert_eq!(last_error(&copy, "bridge"), "");
    assert_eq!(copy.database.psql("SELECT count(*) FROM lifestream.event_ingest_dedupe"), "3");
}

#[test]
fn two_databases_that_publish_to_one_topic_are_told_of_each_other() {
    let first = pipeline("shared_topic");
    let bridge = first.spawn(&["bridge"]);
    note(&first.database, "of the first");
    drained(&first.database);
    let second = Pipeline {
        database: first.database.postgres.database("shared_topic_too"),
        kafka: first.kafka,
        prefix: first.prefix.clone(),
        settings: Vec::new(),
    };
    let theirs = note(&second.database, "of the second");
    refused(&second, &["bridge", "--until-idle"], &["topic_in_use: ", "KAFKA_TOPIC_PREFIX"]);
    stands(&second, "bridge", "topic_in_use", "lifestream init");
    refused(&second, &["materializer", "--until-idle"], &["topic_in_use: "]);
    assert_eq!(first.events().len(), 1);

    // Somebody insists. The first is told while it has nothing to do, and goes on with its own.
    accept(&second, "topic_in_use");
    second.run(&["bridge", "--until-idle"]);
    eventually(SOON, "the idle one is told", || last_error(&first, "bridge").contains(&theirs));
    stands(&first, "bridge", "foreign_events", "KAFKA_TOPIC_PREFIX");
    accept(&first, "foreign_events");
    let ours = note(&first.database, "of the first again");
    drained(&first.database);
    assert_eq!(last_error(&first, "bridge"), "");
    // Between its own records, while it publishes all the time.
    let other = second.spawn(&["bridge"]);
    eventually(SOON, "the second is told", || last_error(&second, "bridge").contains(&ours));
    eventually(SOON, "the busy one is told", || {
        note(&first.database, "busy");
        note(&second.database, "busy too");
        last_error(&first, "bridge").contains("foreign_events")
    });
    for bridge in [bridge, other] {
        assert_eq!(bridge.terminate().code(), Some(0));
    }
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
    pipeline.database.psql("UPDATE lifestream.kafka_offsets SET error = 'topic_shortened: remembered'");
    for _ in 0..30 {
        note(&pipeline.database, "more");
    }
    pipeline.run(&["bridge", "--until-idle"]);
    refused(&pipeline, &["materializer", "--until-idle"], &["topic_shortened: remembered"]);
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
    eventually(SOON, "the router tells", || last_error(&pipeline, "router").contains("records_deleted: "));
    stands(&pipeline, "materializer", "records_deleted", "lifestream rebuild all");
    stands(&pipeline, "router", "records_deleted", "lifestream replay");
    went_on(&after, "22");
    for part in running {
        assert_eq!(part.terminate().code(), Some(0));
    }
    // Others know of it too.
    let running = consumers();
    went_on(&note(&pipeline.database, "later"), "23");
    assert!(last_error(&pipeline, "router").contains("records_deleted: "));
    accept(&pipeline, "records_deleted");
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
    let load = crate::load::Load::start(&pipeline.database.url(), 3);
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
    crate::load::assert_nothing_wrong(&oracle, &pipeline);
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

#[test]
fn a_running_bridge_follows_a_promotion_and_tells_which_events_the_new_primary_has_lost() {
    let primary = Postgres::start();
    let mut pipeline = Pipeline::new("promoted", &primary, Kafka::shared());
    pipeline.run(&["init"]);
    let replica = primary.replica();
    let (password, name) = (primary.password(), pipeline.database.name.clone());
    let both = format!(
        "postgresql://postgres:{password}@127.0.0.1:{},127.0.0.1:{}/{name}?target_session_attrs=read-write",
        primary.port(),
        replica.port()
    );
    pipeline = pipeline.with("DATABASE_URL", &both);
    let (bridge, materializer) = (pipeline.spawn(&["bridge"]), pipeline.spawn(&["materializer"]));
    note(&pipeline.database, "kept");
    drained(&pipeline.database);
    let taken = "SELECT count(*) FROM lifestream.event_ingest_dedupe";
    eventually(SOON, "it is applied", || pipeline.database.psql(taken) == "1");
    eventually(SOON, "the replica has it", || replica.has_caught_up_with(&primary));
    replica.cut_off();
    let lost: Vec<String> = (0..40).map(|_| note(&pipeline.database, "lost")).collect();
    drained(&pipeline.database);
    let last: i64 = pipeline.database.psql("SELECT max(seq) FROM lifestream.events").parse().unwrap();
    primary.stop("immediate");
    replica.promote();
    let promoted = replica.existing(&name);
    let tells = "SELECT last_error FROM lifestream.pipeline_status WHERE stage = 'bridge'";
    eventually(SOON, "it goes on at the new primary", || promoted.psql(tells).contains("lost_events: "));
    let told = promoted.psql(tells);
    assert!(told.contains("40 events") && lost[..20].iter().all(|id| told.contains(id)), "{told}");
    assert!(told.contains("accept_finding('lost_events')"), "{told}");
    // Numbered behind the lost ones, which the state has from Kafka: else it would be taken for older.
    note(&promoted, "lost");
    drained(&promoted);
    let next: i64 = promoted.psql("SELECT max(seq) FROM lifestream.events").parse().unwrap();
    assert!(next > last, "{next} after {last}");
    eventually(SOON, "the state has them all", || promoted.psql(taken) == "42");
    assert_eq!(pipeline.events().len(), 42);
    for part in [bridge, materializer] {
        assert_eq!(part.terminate().code(), Some(0));
    }
}

#[test]
fn a_promotion_that_lost_nothing_goes_on_by_itself_and_has_nothing_to_tell() {
    let primary = Postgres::start();
    let pipeline = Pipeline::new("promoted_whole", &primary, Kafka::shared());
    pipeline.run(&["init"]);
    note(&pipeline.database, "n");
    pipeline.settle();
    let replica = primary.replica();
    note(&pipeline.database, "n");
    pipeline.settle();
    eventually(SOON, "the replica has it", || replica.has_caught_up_with(&primary));
    primary.stop("fast");
    replica.promote();
    let promoted = Pipeline {
        database: replica.existing(&pipeline.database.name),
        kafka: pipeline.kafka,
        prefix: pipeline.prefix.clone(),
        settings: Vec::new(),
    };
    note(&promoted.database, "n");
    promoted.settle();
    assert_arrived_in_order(&promoted, 3);
    assert_eq!(last_error(&promoted, "bridge"), "");
    assert_eq!(promoted.database.psql("SELECT count(*) FROM lifestream.event_ingest_dedupe"), "3");
}
