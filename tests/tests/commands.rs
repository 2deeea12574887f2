//! The program's chores against real servers: what they do, what they refuse, and in which words.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::time::Duration;

use lifestream_tests::{Finished, Kafka, KafkaOptions, Pipeline, Postgres, Program, eventually};

const SOON: Duration = Duration::from_secs(60);

/// What `lifestream --help` says of them.
const FAILED: Option<i32> = Some(1);
const SETTINGS: Option<i32> = Some(78);
const INTERRUPTED: Option<i32> = Some(130);
const LOOK: Option<i32> = Some(3);

fn new(test: &str) -> Pipeline<'static> {
    Pipeline::new(test, Postgres::shared(), Kafka::shared())
}

/// Runs a command with further settings, to whatever end.
fn run(pipeline: &Pipeline<'_>, arguments: &[&str], settings: &[(&str, &str)], input: &str) -> Finished {
    let mut environment = pipeline.environment();
    environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Program::run_with(arguments, &environment, input.as_bytes())
}

#[test]
fn init_creates_what_is_missing_changes_nothing_else_and_reports_drift() {
    let pipeline = new("init");
    let events = format!("{}events.raw", pipeline.prefix);
    let made = pipeline
        .kafka
        .tool("org.apache.kafka.tools.TopicCommand")
        .args(["--bootstrap-server", &pipeline.kafka.brokers(), "--create", "--topic", &events, "--partitions", "1"])
        .output()
        .unwrap();
    assert!(made.status.success());
    for _ in 0..2 {
        let init = run(&pipeline, &["init"], &[], "");
        assert_eq!(init.status.code(), Some(0), "{}", init.stderr);
        let said = format!("{}{}", init.stdout, init.stderr);
        assert!(said.contains("1 partition") && said.contains("3"), "the drift of events.raw: {said}");
    }
    let check = run(&pipeline, &["init", "--check"], &[], "");
    assert_eq!(check.status.code(), LOOK);
    let topics = pipeline.run(&["topics"]);
    for topic in
        ["events.raw", "tags.catalog", "work.fetch_link", "work.enrich_link", "work.publish_link", "work.dead_letter"]
    {
        assert!(topics.contains(topic), "{topic} in {topics}");
    }
    // With fewer partitions than it should have, it still works.
    pipeline.database.psql("SELECT lifestream.emit_event('note.created', 'note', 'n', '{}')");
    pipeline.run(&["up", "--until-idle"]);
    assert_eq!(pipeline.events().len(), 1);
}

#[test]
fn a_kafka_that_speaks_tls_is_told_apart_and_can_be_used() {
    let kafka = Kafka::start_with(&KafkaOptions { tls: true, ..Default::default() });
    let pipeline = Pipeline::new("tls", Postgres::shared(), &kafka);
    let (plain, tls, authority) = (kafka.brokers(), kafka.tls_brokers(), kafka.authority());
    let refused = run(&pipeline, &["init"], &[("KAFKA_BROKERS", &tls)], "");
    assert_ne!(refused.status.code(), Some(0));
    assert!(refused.stderr.contains("KAFKA_SSL"), "{}", refused.stderr);
    let refused = run(&pipeline, &["init"], &[("KAFKA_BROKERS", &plain), ("KAFKA_SSL", "true")], "");
    assert_ne!(refused.status.code(), Some(0));
    assert!(refused.stderr.contains("KAFKA_SSL"), "{}", refused.stderr);
    // A certificate that the system does not know is not trusted ...
    let refused = run(&pipeline, &["init"], &[("KAFKA_BROKERS", &tls), ("KAFKA_SSL", "true")], "");
    assert_ne!(refused.status.code(), Some(0));
    assert!(refused.stderr.contains("KAFKA_SSL_CA"), "{}", refused.stderr);
    // ... until its authority is named.
    let settings =
        [("KAFKA_BROKERS", tls.as_str()), ("KAFKA_SSL", "true"), ("KAFKA_SSL_CA", authority.to_str().unwrap())];
    let init = run(&pipeline, &["init"], &settings, "");
    assert_eq!(init.status.code(), Some(0), "{}", init.stderr);
    pipeline.database.psql("SELECT lifestream.emit_event('note.created', 'note', 'n', '{}')");
    let up = run(&pipeline, &["up", "--until-idle"], &settings, "");
    assert_eq!(up.status.code(), Some(0), "{}", up.stderr);
    assert_eq!(pipeline.events().len(), 1);
}

#[test]
fn wrong_settings_are_named_and_no_secret_is_shown() {
    let pipeline = new("wrong_settings");
    let port = pipeline.database.postgres.port();
    let wrong_password = format!("postgresql://postgres:not-the-secret@127.0.0.1:{port}/{}", pipeline.database.name);
    for (setting, value, command, words) in [
        ("DATABASE_URL", wrong_password.as_str(), "status", "DATABASE_URL"),
        ("DATABASE_URL", "postgresql://who:not-the-secret@127.0.0.1:99999/x", "status", "DATABASE_URL"),
        ("DATABASE_URL", "postgresql://who:not-the-secret@127.0.0.1:99999/x", "bridge", "DATABASE_URL"),
        ("KAFKA_AUTH_METHOD", "scram-sha-256", "init", "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD required"),
        ("KAFKA_AUTH_METHOD", "kerberos", "init", "KAFKA_AUTH_METHOD"),
        ("LIFESTREAM_BATCH_SIZ", "5", "bridge", "LIFESTREAM_BATCH_SIZ"),
        ("LIFESTREAM_POLL_INTERVAL", "soon", "bridge", "LIFESTREAM_POLL_INTERVAL"),
        ("KAFKA_PROPERTY_ACKS", "0", "bridge", "KAFKA_PROPERTY_ACKS"),
        ("KAFKA_PROPERTY_ENABLE_IDEMPOTENCE", "false", "bridge", "KAFKA_PROPERTY_ENABLE_IDEMPOTENCE"),
        ("KAFKA_PROPERTY_NO_SUCH_THING", "1", "init", "KAFKA_PROPERTY_NO_SUCH_THING"),
    ] {
        let refused = run(&pipeline, &[command], &[(setting, value)], "");
        assert_eq!(refused.status.code(), SETTINGS, "{setting}={value}: {}", refused.stderr);
        assert!(refused.stderr.to_lowercase().contains(&words.to_lowercase()), "{setting}={value}: {}", refused.stderr);
        assert!(!refused.stderr.contains("not-the-secret"), "{}", refused.stderr);
    }
}

#[test]
fn a_bookmarks_file_becomes_links_and_importing_it_again_changes_nothing() {
    let pipeline = new("bookmarks");
    pipeline.run(&["init"]);
    let file = lifestream_tests::checkout::root().join("demo/bookmarks.html");
    let import = |code| {
        let done = run(&pipeline, &["import", file.to_str().unwrap()], &[], "");
        assert_eq!(done.status.code(), code, "{}{}", done.stdout, done.stderr);
        format!("{}{}", done.stdout, done.stderr)
    };
    let links = || pipeline.database.psql("SELECT count(*) FROM lifestream.links").parse::<u32>().unwrap();
    let first = import(Some(0));
    pipeline.settle();
    let imported = links();
    assert!((50..=70).contains(&imported), "{imported} links; {first}");
    assert_eq!(
        pipeline
            .database
            .psql("SELECT count(*) FROM lifestream.links WHERE added_at > now() - interval '1 day' OR title IS NULL"),
        "0"
    );
    assert_ne!(pipeline.database.psql("SELECT count(*) FROM lifestream.tags WHERE origin = 'user'"), "0");
    let emitted = pipeline.database.psql("SELECT count(*) FROM lifestream.events");
    import(Some(0));
    assert_eq!(pipeline.database.psql("SELECT count(*) FROM lifestream.events"), emitted);
}

#[test]
fn each_bad_line_is_reported_with_its_number_and_the_others_go_in() {
    let pipeline = new("bad_lines");
    let lines = [
        r#"{"event_type":"note.created","subject":"note","subject_id":"1","payload":{"n":1}}"#,
        r#"{"event_type":"note.created","subject":"note","#,
        "",
        r#"{"event_type":"note.created","subject":"note","subject_id":"4","payload":{"n":4}}"#,
        r#"{"event_type":"","subject":"note","subject_id":"5","payload":{}}"#,
        r#"{"event_type":"note.created","subject":"note","subject_id":"6","payload":{},"colour":"red"}"#,
        r#"{"event_type":"note.created","subject":"note","subject_id":"7","payload":{"n":1e999}}"#,
    ];
    let done = run(&pipeline, &["import", "-", "--format", "jsonl"], &[], &lines.join("\r\n"));
    assert_eq!(done.status.code(), LOOK, "{}", done.stderr);
    for line in [2, 5, 6] {
        assert!(done.stderr.contains(&format!("line {line}:")), "line {line} in {}", done.stderr);
    }
    assert_eq!(
        pipeline.database.psql("SELECT string_agg(subject_id, ' ' ORDER BY seq) FROM lifestream.events"),
        "1 4 7"
    );
    let again = run(&pipeline, &["import", "-", "--format", "jsonl"], &[], &lines.join("\n"));
    assert_eq!(again.status.code(), LOOK);
    assert_eq!(pipeline.database.psql("SELECT count(*) FROM lifestream.events"), "3");
}

#[test]
fn emit_tail_status_and_doctor_tell_what_is_there() {
    let pipeline = new("chores");
    pipeline.run(&["init"]);
    let id = pipeline.run(&["emit", "note.created", "note", "n-1", r#"{"text":"hello"}"#]);
    assert_eq!(id.trim(), pipeline.database.psql("SELECT id FROM lifestream.events"));
    let refused = run(&pipeline, &["emit", "note.created", "note", "n-1", "[1]"], &[], "");
    assert_eq!(refused.status.code(), FAILED);
    assert!(refused.stderr.contains("object"), "{}", refused.stderr);

    let up = pipeline.spawn(&["up"]);
    eventually(SOON, "the event is applied", || {
        pipeline.database.psql("SELECT count(*) FROM lifestream.event_ingest_dedupe") == "1"
    });
    let tail = pipeline.spawn(&["tail", "--from-beginning"]);
    eventually(SOON, "tail shows it", || tail.log().contains("note.created") && tail.log().contains("n-1"));
    assert_eq!(tail.terminate().code(), INTERRUPTED);
    let status: serde_json::Value = serde_json::from_str(&pipeline.run(&["status", "--json"])).unwrap();
    assert!(status.to_string().contains("materializer-v1"), "{status}");
    let doctor = run(&pipeline, &["doctor"], &[], "");
    assert_eq!(doctor.status.code(), Some(0), "a healthy system: {}{}", doctor.stdout, doctor.stderr);
    assert_eq!(up.terminate().code(), Some(0));
    let doctor = run(&pipeline, &["doctor"], &[], "");
    assert_eq!(doctor.status.code(), Some(0), "stopped on purpose: {}", doctor.stdout);
    assert!(doctor.stdout.contains("ended in good order"), "{}", doctor.stdout);
    pipeline.run(&["reset", "--yes", "--topics"]);
    let doctor = run(&pipeline, &["doctor"], &[], "");
    assert_eq!(doctor.status.code(), LOOK, "{}", doctor.stdout);
    assert!(doctor.stdout.contains("lifestream init"), "each finding with its fix: {}", doctor.stdout);
}

#[test]
fn doctor_tells_what_is_wrong_with_work_and_what_to_do() {
    let pipeline = new("doctor_work");
    pipeline.run(&["init"]);
    let doctor = || run(&pipeline, &["doctor"], &[], "");
    eventually(SOON, "the new topics are known to all", || doctor().status.code() == Some(0));
    let healthy = doctor();
    for words in [", with their functions", "no host or API is paused", "none is overdue", "none waits for a decision"]
    {
        assert!(healthy.stdout.contains(words), "{words} in {}", healthy.stdout);
    }
    pipeline.database.psql(
        "CREATE FUNCTION public.is_due(e lifestream.events) RETURNS boolean LANGUAGE sql AS 'SELECT true'; \
         SELECT lifestream.add_route('order.paid', 'send_receipt', 'public.is_due'); DROP FUNCTION public.is_due; \
         INSERT INTO lifestream.circuits (consumer_group, lane, state, failures, until, last_error) \
         VALUES ('fetcher-agent-v2', 'example.org', 'paused', 10, now() + interval '1 hour', 'timed out'); \
         INSERT INTO lifestream.dead_letters (id, tenant_id, subject_id, status, failed_at) \
         VALUES (gen_random_uuid(), '', 's', 'open', now() - interval '3 hours'); \
         INSERT INTO lifestream.pending_retries (work_id, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message) \
         VALUES (gen_random_uuid(), 'fetch_link', '', 's', 2, now() - interval '5 hours', 'retry', '{}')",
    );
    let ill = doctor();
    assert_eq!(ill.status.code(), LOOK, "{}", ill.stdout);
    for words in [
        "order.paid to send_receipt: guard public.is_due does not exist",
        "lifestream.drop_route('order.paid', 'send_receipt')",
        "work.send_receipt is missing",
        "fetcher-agent-v2 leaves example.org alone (paused, tried again in ",
        "1 wait for a decision, the oldest for 3 h",
        "lifestream dlq retry",
        "1 of 1 are overdue, the first for 5 h",
        "lifestream router",
    ] {
        assert!(ill.stdout.contains(words), "{words} in {}", ill.stdout);
    }
}
