//! A database that is a copy of another, or was promoted: said by name; sorted out where nothing can be lost by that, else a person is
//! asked. (A dump restored beside a Kafka of its own: `dump_restore.rs`.)

use std::process::Stdio;

use lifestream_tests::{Database, Kafka, Pipeline, Postgres, eventually};

use crate::found::{accept, last_error, note, refused, stands};
use crate::{SOON, assert_arrived_in_order, drained, pipeline, unpublished};

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
