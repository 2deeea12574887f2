//! A dump carries every row, and a restore goes on where the dump was made.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::Stdio;

use lifestream_tests::{Database, Kafka, Pipeline, Postgres};

/// How a dump is written and read back.
#[derive(Clone, Copy, Debug)]
enum Format {
    Plain,
    Custom,
}

fn dump(database: &Database, format: Format) -> Vec<u8> {
    let format = match format {
        Format::Plain => "--format=plain",
        Format::Custom => "--format=custom",
    };
    let output = database.postgres.program("pg_dump").args([format, "--dbname", &database.name]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Restores into a database that is empty; any error fails.
fn restore(dump: &[u8], format: Format, database: &Database) {
    let mut command = match format {
        Format::Plain => {
            let mut psql = database.postgres.program("psql");
            psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]);
            psql
        }
        Format::Custom => {
            let mut pg_restore = database.postgres.program("pg_restore");
            pg_restore.arg("--exit-on-error");
            pg_restore
        }
    };
    let mut process = command
        .args(["--dbname", &database.name])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let dump = dump.to_owned();
    let feeder = std::thread::spawn(move || stdin.write_all(&dump));
    let output = process.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success(), "{format:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A fingerprint of every table of the schema: its rows as text, sorted.
fn rows(database: &Database) -> BTreeMap<String, String> {
    let tables = database.psql(
        "SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'lifestream'::regnamespace AND c.relkind = 'r' ORDER BY 1",
    );
    tables
        .lines()
        .map(|table| {
            let rows = database.psql(&format!(
                "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text)), '') FROM {} t",
                carried(table)
            ));
            (table.to_owned(), rows)
        })
        .collect()
}

/// What of a table a dump must carry: all of it, but for the time at which an extension's own projections and routes came
/// with it.
fn carried(table: &str) -> String {
    match table {
        "lifestream.projections" => {
            "(SELECT event_type, function, tables, builtin, CASE WHEN NOT builtin THEN added_at END
             FROM lifestream.projections)"
                .to_owned()
        }
        "lifestream.routes" => {
            "(SELECT event_type, work_type, guard, payload_map, max_attempts, backoff, builtin, CASE WHEN NOT builtin THEN added_at END
             FROM lifestream.routes)"
                .to_owned()
        }
        table => table.to_owned(),
    }
}

/// A table's rows, to look at.
fn all(database: &Database, table: &str) -> String {
    database.psql(&format!(
        "SELECT coalesce(string_agg(t::text, ' ' ORDER BY t::text), 'nothing') FROM {} t",
        carried(table)
    ))
}

#[test]
fn every_row_comes_back_and_emitting_goes_on() {
    let postgres = Postgres::shared();
    let pipeline = Pipeline::new("dumped", postgres, Kafka::shared());
    let database = &pipeline.database;

    // Events that are published and applied, then some that are not.
    pipeline.run(&["init"]);
    emit(database, "before", 40);
    pipeline.run(&["bridge", "--until-idle"]);
    pipeline.run(&["materializer", "--until-idle"]);
    emit(database, "after", 25);
    // A number that was drawn and never used leaves the sequence ahead of the rows.
    database.psql("BEGIN; SELECT lifestream.emit_event('note.created', 'note', 'gone', '{}'); ROLLBACK");
    // Rows that a user adds beside the built-in ones.
    database.psql("CREATE FUNCTION public.own(e lifestream.events) RETURNS void LANGUAGE sql AS 'SELECT'");
    database.psql("SELECT lifestream.add_projection('note.created', 'public.own')");

    decide(database);

    let flags = database.psql("SELECT count(*) FILTER (WHERE published_to_kafka), count(*) FILTER (WHERE NOT published_to_kafka) FROM lifestream.events");
    assert_eq!(flags, "40|25");
    let original = rows(database);
    let state: BTreeSet<&str> =
        original.iter().filter(|(_, rows)| !rows.starts_with("0 ")).map(|(table, _)| table.as_str()).collect();
    for table in [
        "lifestream.events",
        "lifestream.links",
        "lifestream.subjects",
        "lifestream.event_ingest_dedupe",
        "lifestream.kafka_offsets",
        "lifestream.bridge_progress",
        "lifestream.routes",
        "lifestream.dropped_routes",
        "lifestream.pending_retries",
        "lifestream.dead_letters",
        "lifestream.work_attempts",
        "lifestream.tag_rules",
        "lifestream.tag_uses",
        "lifestream.consumer_progress",
        "lifestream.circuits",
    ] {
        assert!(state.contains(table), "{table} has rows to lose: {state:?}");
    }
    let next = next_seq(database);

    let elsewhere = Postgres::start();
    for format in [Format::Plain, Format::Custom] {
        let dump = dump(database, format);
        for (place, postgres) in [("same", postgres), ("new", &elsewhere)] {
            let restored = postgres.empty_database(&format!("restored_{place}_{format:?}").to_lowercase());
            restore(&dump, format, &restored);
            let came_back = rows(&restored);
            let differing: Vec<String> = original
                .iter()
                .filter(|(table, rows)| came_back.get(*table) != Some(rows))
                .map(|(table, _)| format!("{table}: {} -> {}", all(database, table), all(&restored, table)))
                .collect();
            assert_eq!(differing, Vec::<String>::new(), "{format:?} into the {place} cluster");
            assert!(came_back.keys().eq(original.keys()), "the same tables");
            assert!(next_seq(&restored) >= next, "{format:?} into the {place} cluster: a number would be used twice");
        }
    }

    // The new cluster has a Kafka of its own that has nothing yet: everything is published again, and the state goes on.
    let restored = Database { postgres: &elsewhere, name: "restored_new_custom".to_owned() };
    let kafka = Kafka::start();
    let resumed = Pipeline { database: restored, kafka: &kafka, prefix: pipeline.prefix.clone(), settings: Vec::new() };
    resumed.run(&["init"]);
    resumed.settle();
    let published: BTreeSet<String> = resumed.events().iter().map(|record| record.event_id().to_string()).collect();
    let all = database.psql("SELECT id FROM lifestream.events");
    assert_eq!(all.lines().filter(|id| !published.contains(*id)).collect::<Vec<_>>(), Vec::<&str>::new());
    assert_eq!((published.len(), resumed.events().len()), (65, 65));
    assert_eq!(resumed.database.psql("SELECT count(*) FROM lifestream.events WHERE NOT published_to_kafka"), "0");
    let taken = "SELECT count(*), count(DISTINCT event_id) FROM lifestream.event_ingest_dedupe";
    assert_eq!((resumed.database.psql(taken).as_str(), database.psql(taken).as_str()), ("65|65", "40|40"));
    assert_eq!(resumed.database.psql("SELECT count(*) FROM lifestream.links"), "65");
    let tells =
        "SELECT string_agg(last_error, ' ') FROM lifestream.pipeline_status WHERE stage IN ('bridge', 'materializer')";
    assert_eq!(resumed.database.psql(tells), "");
    emit(&resumed.database, "later", 5);
    resumed.settle();
    assert_eq!((resumed.events().len(), resumed.database.psql(taken).as_str()), (70, "70|70"));
}

/// What people decide and what waits: routes of one's own in a schema of one's own, built-in routes changed and dropped,
/// retries, dead letters, merged tags.
fn decide(database: &Database) {
    database.psql(
        "CREATE SCHEMA own;
         CREATE FUNCTION own.wanted(e lifestream.events) RETURNS boolean LANGUAGE sql AS 'SELECT true';
         SELECT lifestream.add_route('note.created', 'index', 'own.wanted', max_attempts => 5, backoff => '30 s');
         SELECT lifestream.add_route('link.added', 'fetch_link', 'lifestream.needs_fetch', max_attempts => 9);
         SELECT lifestream.drop_route('link.removed', 'publish_link');
         INSERT INTO lifestream.pending_retries (work_id, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message)
             VALUES (gen_random_uuid(), 'index', '', 'note:1', 2, now(), 'retry', '{\"n\": 1.10}');
         INSERT INTO lifestream.consumer_progress (consumer_group, stage, topic, partition, committed, high)
             VALUES ('router-v1', 'router', 'events.raw', 0, 1, 2);
         INSERT INTO lifestream.circuits (consumer_group, lane, state, failures) VALUES ('fetcher-agent-v2', 'a.example', 'slow', 5);
         SET search_path = lifestream, pg_temp;
         SELECT project_tag_merged(e), project_work_failed(e), project_work_dead_lettered(e) FROM (
             SELECT (jsonb_populate_record(NULL::lifestream.events, jsonb_build_object('id', gen_random_uuid(), 'seq', 7, 'occurred_at', now(),
                 'subject', 's', 'subject_id', 's', 'tenant_id', '', 'payload', jsonb_build_object('from', 'before', 'into', 'earlier', 'error', 'e',
                 'work_message', jsonb_build_object('id', gen_random_uuid(), 'attempt', 1, 'work_type', 'index', 'n', 1.10))))).*) e;",
    );
}

/// Emits link.added events, in one transaction.
fn emit(database: &Database, name: &str, count: u32) {
    database.psql(&format!(
        "SELECT lifestream.emit_event('link.added', 'link', lifestream.link_subject_id(url), jsonb_build_object('url', url, 'title', 'T ' || n, 'tags', jsonb_build_array('{name}')))
         FROM generate_series(1, {count}) n, LATERAL (SELECT 'https://{name}.example/' || n AS url) u"
    ));
}

/// The number that the next event gets; the event itself is rolled back.
fn next_seq(database: &Database) -> i64 {
    let printed = database.psql(
        "BEGIN;
         DO $$ BEGIN PERFORM lifestream.emit_event('note.created', 'note', 'next', '{}'); END $$;
         SELECT seq FROM lifestream.events WHERE subject_id = 'next'; ROLLBACK",
    );
    printed.trim().parse().unwrap()
}
