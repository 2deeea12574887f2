//! `ALTER EXTENSION pg_lifestream UPDATE` from the first version, with data and under load.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lifestream_tests::oracle::{Oracle, Verdict, effects};
use lifestream_tests::{
    Database, Kafka, Pipeline, Postgres, PostgresOptions, Program, eventually, eventually_async, extension_library,
};
use tokio_postgres::Client;

const FIRST: &str = "CREATE EXTENSION pg_lifestream VERSION '0.1.0'";
const UPDATE: &str = "ALTER EXTENSION pg_lifestream UPDATE";
const SOON: Duration = Duration::from_secs(60);

/// Every object of the schema as pg_dump would make it anew, those of the extension too, and the rows that came with them.
fn anatomy(database: &Database<'_>) -> String {
    let output = database
        .postgres
        .program("pg_dump")
        .args(["--binary-upgrade", "--schema-only", "--dbname", &database.name])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Oids and transaction ids are other ones each time, and so is what keeps psql from being misused by a dump. A column that was
    // added has its default for the rows of before beside it.
    let differs =
        ["binary_upgrade", "-- set missing value.", "-- For binary upgrade", "SET relfrozenxid", "WHERE oid = ", "\\"];
    let schema: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter(|line| !differs.iter().any(|word| line.contains(word)))
        .map(str::to_owned)
        .collect();
    let rows = database.psql(
        "SELECT event_type, function, tables, builtin FROM lifestream.projections ORDER BY 1, 2;
         SELECT event_type, work_type, guard, payload_map, max_attempts, backoff, builtin FROM lifestream.routes ORDER BY 1, 2;
         SELECT unnest(extconfig)::regclass::text, unnest(extcondition) FROM pg_extension WHERE extname = 'pg_lifestream' ORDER BY 1;
         SELECT extversion FROM pg_extension WHERE extname = 'pg_lifestream'",
    );
    format!("{}\n{rows}", schema.join("\n"))
}

/// The objects of a dump, in an order that does not depend on when they were made, nor grants on when they were given; other lines
/// keep theirs, and so do columns.
fn objects(dump: &str) -> Vec<String> {
    let object = |text: &str| {
        let mut lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        if lines.first().is_some_and(|name| name.contains("Type: ACL")) {
            lines.sort_unstable();
        }
        lines.join("\n")
    };
    let mut objects: Vec<String> = dump.split("\n-- Name: ").map(object).collect();
    objects.sort_unstable();
    objects
}

fn updated_is_as_fresh(postgres: &Postgres) {
    let fresh = postgres.database("upgrade_fresh");
    let updated = postgres.empty_database("upgrade_updated");
    updated.psql(FIRST);
    let before = anatomy(&updated);
    updated.psql(UPDATE);
    let (fresh, updated) = (anatomy(&fresh), anatomy(&updated));
    assert!(objects(&before).len() < objects(&updated).len(), "there is something to update");
    for (fresh, updated) in objects(&fresh).iter().zip(objects(&updated)) {
        assert_eq!(*fresh, updated, "fresh, and updated");
    }
    assert_eq!(objects(&fresh).len(), objects(&updated).len());
}

#[test]
fn updated_is_as_fresh_15() {
    updated_is_as_fresh(Postgres::shared());
}

#[test]
fn updated_is_as_fresh_16() {
    updated_is_as_fresh(&Postgres::start_with(&PostgresOptions { version: 16, ..Default::default() }));
}

async fn emit(client: &Client, subject_id: &str) {
    let sql = "SELECT lifestream.emit_event('note.created', 'note', $1, '{}')";
    client.execute(sql, &[&subject_id]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_nobody_waits_and_nothing_is_lost() {
    let postgres = Postgres::shared();
    let database = postgres.empty_database("upgrade_load");
    database.psql(FIRST);
    database.psql(lifestream_tests::load::PROJECTIONS);
    let pipeline = Pipeline {
        database,
        kafka: Kafka::shared(),
        prefix: format!("upgrade-{}.", std::process::id()),
        settings: Vec::new(),
    };
    pipeline.run(&["init"]);
    pipeline.database.psql("SELECT count(lifestream.emit_event('note.created', 'note', 'past-' || n % 100, '{}')) FROM generate_series(1, 20000) n");

    // The new program on the old schema says what to do, and does nothing.
    for part in ["bridge", "materializer", "router"] {
        let refused = Program::run_with(&[part, "--until-idle"], &pipeline.environment(), b"");
        assert_eq!(refused.status.code(), Some(1), "{part}: {}", refused.stderr);
        assert!(refused.stderr.contains("is 0.1.0") && refused.stderr.contains(UPDATE), "{part}: {}", refused.stderr);
    }

    // Writers whose sessions are there before, during and after it.
    let (stop, oracle) = (Arc::new(AtomicBool::new(false)), Arc::new(Oracle::default()));
    let mut writers = Vec::new();
    for writer in 0..4 {
        let mut client = pipeline.database.connect().await;
        let (stop, oracle) = (Arc::clone(&stop), Arc::clone(&oracle));
        writers.push(tokio::spawn(async move {
            let subjects = [format!("w{writer}-a"), format!("w{writer}-b")];
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                n += 1;
                oracle
                    .emit(
                        &mut client,
                        "load.done",
                        &[subjects[0].as_str(), subjects[1].as_str()][..1 + n % 2],
                        n % 7 != 0,
                    )
                    .await;
            }
        }));
    }
    let more = |events: usize| {
        let target = oracle.committed() + events;
        let oracle = Arc::clone(&oracle);
        async move { eventually_async(SOON, "the writers go on", || async { oracle.committed() >= target }).await }
    };
    more(500).await;

    // An emit whose transaction stays open does not hold up the update, nor the update an emit.
    let (open, other) = (pipeline.database.connect().await, pipeline.database.connect().await);
    open.batch_execute("BEGIN").await.unwrap();
    emit(&open, "open").await;
    other.batch_execute("BEGIN").await.unwrap();
    other.batch_execute(UPDATE).await.unwrap();
    more(200).await;
    emit(&open, "open").await;
    other.batch_execute("COMMIT").await.unwrap();
    emit(&open, "open").await;
    open.batch_execute("COMMIT").await.unwrap();
    more(500).await;

    // Parts at work, while the sessions of before go on.
    let parts = [pipeline.spawn(&["bridge"]), pipeline.spawn(&["materializer"])];
    more(500).await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let all = "SELECT NOT EXISTS (SELECT FROM lifestream.unpublished_events) AND (SELECT count(*) FROM lifestream.events) = (SELECT count(*) FROM lifestream.event_ingest_dedupe)";
    eventually(SOON, "everything is published and taken in", || pipeline.database.psql(all) == "t");
    for part in parts {
        assert_eq!(part.terminate().code(), Some(0));
    }
    let client = pipeline.database.connect().await;
    let verdict = oracle.judge(&pipeline.events(), Some(&effects(&client).await));
    assert_eq!(verdict, Verdict::default(), "{} events", oracle.committed());
    pipeline.run(&["verify"]);

    // What is new serves what is old: events of the first version's time are archived. Not while a session is there from before
    // the library was installed, which this one is now made to be: that of the first version would use an archived id again.
    drop([open, other, client]);
    let early = pipeline.database.connect().await;
    std::fs::File::open(extension_library(15)).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    let refused = early.batch_execute("SELECT lifestream.archive_batch(0, 1, now())").await.unwrap_err();
    let words = refused.as_db_error().unwrap().message().to_owned();
    assert!(words.contains("began before the library of pg_lifestream was installed"), "{words}");
    drop(early);
    let alone = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()",
        pipeline.database.name
    );
    eventually(SOON, "the early sessions are gone", || pipeline.database.psql(&alone) == "0");
    eventually_async(SOON, "a later session archives", || async {
        pipeline.database.connect().await.batch_execute("CALL lifestream.archive(now())").await.is_ok()
    })
    .await;
    let archived = "SELECT count(*) > 20000 FROM lifestream.events_archive";
    assert_eq!(pipeline.database.psql(archived), "t");
    assert_eq!(pipeline.database.psql("SELECT count(*) FROM lifestream.events WHERE subject_id LIKE 'past-%'"), "0");
    assert!(pipeline.run(&["doctor"]).contains("pg_lifestream"));
}
