//! `lifestream dlq`, `tags` and `status`, run as a user runs them: what people see of work and tags, and what they decide.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;

use lifestream_tests::{Database, Finished, Kafka, Pipeline, Postgres, Program};

const DONE: Option<i32> = Some(0);
const FAILED: Option<i32> = Some(1);
const USAGE: Option<i32> = Some(2);
const LOOK: Option<i32> = Some(3);

/// Applies every event as the materializer does, in order.
const APPLY: &str = "SET search_path = lifestream, pg_temp;
DO $$ DECLARE e lifestream.events; f text; BEGIN
    FOR e IN SELECT * FROM lifestream.events ORDER BY seq LOOP
        FOR f IN SELECT function FROM lifestream.projections p WHERE p.event_type = e.event_type LOOP
            EXECUTE format('SELECT %s($1)', f) USING e;
        END LOOP;
    END LOOP;
END $$";

/// What belongs to one piece of work: it failed so often, then it was given up.
fn give_up(database: &Database<'_>, subject: &str, work_type: &str, error: &str, host: &str, age: &str) -> String {
    let id = database.psql(&format!(
        "WITH message AS (
             SELECT n, jsonb_build_object('id', lifestream.derived_id('{subject}' || n), 'subject_id', '{subject}', 'work_type', '{work_type}',
                 'correlation_id', lifestream.derived_id('{subject}'), 'triggered_by_event_id', lifestream.derived_id('{subject}'),
                 'attempt', n, 'max_attempts', 3, 'payload', jsonb_build_object('url', 'https://user:pw@{host}:8443/page')) AS m
             FROM generate_series(1, 3) n),
         failed AS (
             SELECT lifestream.emit_event('work.failed', 'work', '{subject}', jsonb_build_object('work_message', m, 'error', '{error}',
                 'agent', 'fetcher-agent-v2', 'permanent', false)) FROM message)
         SELECT lifestream.emit_event('work.dead_lettered', 'work', '{subject}', jsonb_build_object('work_message', m, 'error', '{error}',
             'agent', 'fetcher-agent-v2', 'failed_at', now() - interval '{age}'), correlation_id => lifestream.derived_id('{subject}'))
         FROM message, (SELECT count(*) FROM failed) all_of_them WHERE n = 3"
    ));
    database.psql(APPLY);
    id
}

fn lifestream(database: &Database<'_>, arguments: &[&str]) -> Finished {
    Program::run_with(arguments, &[("DATABASE_URL".to_owned(), database.url())], b"")
}

/// Runs it, and says everything if it ends otherwise.
#[track_caller]
fn run(database: &Database<'_>, arguments: &[&str], code: Option<i32>) -> Finished {
    let finished = lifestream(database, arguments);
    assert_eq!(finished.status.code(), code, "{arguments:?}: {}{}", finished.stdout, finished.stderr);
    finished
}

/// The ids that `dlq list --json` gives with these conditions.
#[track_caller]
fn listed(database: &Database<'_>, conditions: &[&str]) -> BTreeSet<String> {
    let mut arguments = vec!["dlq", "list", "--json"];
    arguments.extend(conditions);
    let printed: serde_json::Value = serde_json::from_str(&run(database, &arguments, DONE).stdout).unwrap();
    printed.as_array().unwrap().iter().map(|letter| letter["id"].as_str().unwrap().to_owned()).collect()
}

fn set(ids: &[&String]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).clone()).collect()
}

#[test]
fn dead_letters_are_listed_by_what_is_known_of_them_and_shown_whole() {
    let database = Postgres::shared().database("dlq_list");
    assert_eq!(run(&database, &["dlq", "list", "--json"], DONE).stdout.trim(), "[]");
    let a = give_up(&database, "link:a", "fetch_link", "HTTP status 503", "down.example", "3 days");
    let b = give_up(&database, "link:b", "fetch_link", "100% sure_thing", "Other.Example", "1 hour");
    let c = give_up(&database, "link:c", "enrich_link", "http STATUS 429", "api.example", "1 minute");
    assert_eq!(listed(&database, &[]), set(&[&a, &b, &c]));
    for (conditions, expected) in [
        (&["--type", "fetch_link"][..], vec![&a, &b]),
        (&["--agent", "fetcher-agent-v2"], vec![&a, &b, &c]),
        (&["--agent", "fetcher-agent-v3"], vec![]),
        (&["--error", "http status"], vec![&a, &c]),
        (&["--error", "%"], vec![&b]),
        (&["--error", "sure_thing"], vec![&b]),
        (&["--error", "sure.thing"], vec![]),
        (&["--host", "down.example"], vec![&a]),
        (&["--host", "other.EXAMPLE"], vec![&b]),
        (&["--host", "example"], vec![]),
        (&["--subject", "link:c"], vec![&c]),
        (&["--older-than", "2h"], vec![&a]),
        (&["--older-than", "30 min"], vec![&a, &b]),
        (&["--status", "retried"], vec![]),
        (&["--status", "all", "--type", "enrich_link", "--error", "429"], vec![&c]),
        (&["--count", "1"], vec![&a]),
        (&["--type", "fetch_link' OR true --"], vec![]),
    ] {
        assert_eq!(listed(&database, conditions), set(&expected), "{conditions:?}");
    }
    let table = run(&database, &["dlq", "list"], DONE).stdout;
    assert_eq!(table.lines().count(), 4, "{table}");
    for word in [&a, "fetch_link", "HTTP status 503", "https://user", "3 d"] {
        assert!(table.contains(word), "{word} in {table}");
    }
    let shown = run(&database, &["dlq", "show", &a], DONE).stdout;
    for word in ["status        open", "ATTEMPT", "may pass", "HTTP status 503", "\"max_attempts\": 3", "link:a"] {
        assert!(shown.contains(word), "{word} in {shown}");
    }
    assert_eq!(shown.matches("fetcher-agent-v2").count(), 4, "three attempts, and who gave it up: {shown}");
    let json: serde_json::Value =
        serde_json::from_str(&run(&database, &["dlq", "show", &a, "--json"], DONE).stdout).unwrap();
    assert_eq!(json["attempts"].as_array().unwrap().len(), 3);

    // What is asked wrongly.
    let unknown = "00000000-0000-4000-8000-000000000000";
    assert!(run(&database, &["dlq", "show", unknown], FAILED).stderr.contains(unknown));
    assert!(run(&database, &["dlq", "list", "--older-than", "soon"], FAILED).stderr.contains("soon"));
    run(&database, &["dlq", "show", "not-an-id"], USAGE);
    run(&database, &["dlq", "list", "--status", "lost"], USAGE);
}

#[test]
fn retry_and_discard_decide_once_and_ask_before_they_decide_about_many() {
    let database = Postgres::shared().database("dlq_decide");
    let a = give_up(&database, "link:a", "fetch_link", "timed out", "a.example", "3 days");
    let b = give_up(&database, "link:b", "fetch_link", "timed out", "b.example", "1 hour");
    let c = give_up(&database, "link:c", "enrich_link", "refused", "c.example", "1 hour");
    let decided = || {
        database.psql(
            "SELECT count(*) FROM lifestream.events WHERE event_type IN ('work.retry_requested', 'work.discarded')",
        )
    };

    // Nothing is chosen by accident, and nobody is there to ask.
    assert!(run(&database, &["dlq", "retry"], FAILED).stderr.contains("--all"));
    assert!(run(&database, &["dlq", "retry", &a, "--all"], FAILED).stderr.contains("not both"));
    assert!(run(&database, &["dlq", "discard", "--all"], FAILED).stderr.contains("--yes"));
    let dry = run(&database, &["dlq", "retry", "--type", "fetch_link", "--dry-run"], DONE);
    assert!(dry.stdout.contains(&a) && dry.stdout.contains(&b) && !dry.stdout.contains(&c), "{}", dry.stdout);
    assert_eq!(decided(), "0");

    // By id, nobody is asked; again, it is the same fact.
    for _ in 0..2 {
        assert!(run(&database, &["dlq", "retry", &a], DONE).stdout.contains(&a));
        assert_eq!(decided(), "1");
    }
    let refused = run(&database, &["dlq", "discard", &a], FAILED);
    assert!(refused.stderr.contains("was retried at"), "{}", refused.stderr);
    // One that is refused holds up no other.
    let some = run(&database, &["dlq", "discard", &a, &c, "--reason", "no key", "--json"], LOOK);
    let some: serde_json::Value = serde_json::from_str(&some.stdout).unwrap();
    assert!(some[0]["error"].as_str().unwrap().contains("was retried") && some[1]["event_id"].is_string(), "{some}");
    let unknown = "00000000-0000-4000-8000-000000000000";
    assert!(run(&database, &["dlq", "retry", &b, unknown], FAILED).stderr.contains(unknown));
    assert_eq!(decided(), "2");

    // By conditions, those that are open.
    database.psql(APPLY);
    assert_eq!(listed(&database, &[]), set(&[&b]));
    assert_eq!(listed(&database, &["--status", "discarded"]), set(&[&c]));
    assert!(run(&database, &["dlq", "show", &c], DONE).stdout.contains("no key"));
    let done = run(&database, &["dlq", "retry", "--error", "TIMED", "--yes"], DONE);
    assert_eq!(done.stdout.lines().count(), 1, "{}", done.stdout);
    database.psql(APPLY);
    run(&database, &["dlq", "retry", "--all", "--yes"], DONE);
    assert_eq!(decided(), "3");
    assert_eq!(
        database.psql("SELECT count(*) FROM lifestream.events e JOIN lifestream.dead_letters d ON e.causation_id = d.id
                       WHERE e.correlation_id = d.correlation_id AND e.subject_id = d.subject_id AND e.subject = 'work'"),
        "3"
    );
}

#[test]
fn whoever_may_only_read_decides_nothing() {
    let database = Postgres::shared().database("dlq_roles");
    let a = give_up(&database, "link:a", "fetch_link", "timed out", "a.example", "3 days");
    database.psql("DO $$ BEGIN IF to_regrole('decisions_reader') IS NULL THEN CREATE ROLE decisions_reader LOGIN PASSWORD 'r' IN ROLE lifestream_reader; END IF; END $$");
    let port = database.postgres.port();
    let environment =
        [("DATABASE_URL".to_owned(), format!("postgresql://decisions_reader:r@127.0.0.1:{port}/{}", database.name))];
    for arguments in [&["dlq", "list"][..], &["dlq", "show", &a], &["status"], &["tags", "list"]] {
        let finished = Program::run_with(arguments, &environment, b"");
        assert_eq!(finished.status.code(), DONE, "{arguments:?}: {}", finished.stderr);
    }
    for arguments in [&["dlq", "retry", &a][..], &["dlq", "discard", &a], &["tags", "merge", "x", "y"]] {
        let finished = Program::run_with(arguments, &environment, b"");
        assert_eq!(finished.status.code(), FAILED, "{arguments:?}: {}", finished.stdout);
        assert!(finished.stderr.contains("permission denied"), "{}", finished.stderr);
    }
}

#[test]
fn tags_are_merged_and_dropped() {
    let database = Postgres::shared().database("tags");
    let link = |url: &str, tags: &str| {
        database.psql(&format!(
            "SELECT lifestream.emit_event('link.added', 'link', lifestream.link_subject_id('{url}'), '{{\"url\": \"{url}\", \"tags\": {tags}}}')"
        ));
        database.psql(APPLY);
    };
    let tags = || database.psql("SELECT string_agg(tag || '=' || links, ' ' ORDER BY tag) FROM lifestream.tag_counts");
    link("https://a.example", "[\"go\", \"web\"]");
    link("https://b.example", "[\"golang\"]");
    run(&database, &["tags", "merge", " golang ", "go"], DONE);
    database.psql(APPLY);
    assert_eq!(tags(), "go=2 web=1");
    link("https://c.example", "[\"golang\"]");
    assert_eq!(tags(), "go=3 web=1");
    let list = run(&database, &["tags", "list"], DONE).stdout;
    let row = list.lines().find(|line| line.starts_with("go ")).unwrap().to_owned();
    assert!(row.contains('3') && row.contains("golang"), "{list}");
    let json: serde_json::Value =
        serde_json::from_str(&run(&database, &["tags", "list", "--json"], DONE).stdout).unwrap();
    assert_eq!(json[0]["aliases"], serde_json::json!(["golang"]));

    let events = || database.psql("SELECT count(*) FROM lifestream.events WHERE subject = 'tag'");
    let before = events();
    // Nothing new, nothing to do, nothing that can be.
    run(&database, &["tags", "merge", "golang", "go"], DONE);
    for (arguments, words) in [
        (&["tags", "merge", "go", " go "][..], "itself"),
        (&["tags", "merge", " ", "go"], "no blank"),
        (&["tags", "drop", "golang"], "another name for \"go\""),
        (&["tags", "drop", "nowhere"], "no link has"),
        (&["tags", "drop", "go", "--tenant", "acme"], "no link has"),
    ] {
        let refused = run(&database, arguments, FAILED);
        assert!(refused.stderr.contains(words), "{arguments:?}: {}", refused.stderr);
    }
    assert_eq!(events(), before);
    run(&database, &["tags", "drop", "go"], DONE);
    database.psql(APPLY);
    assert_eq!(tags(), "web=1");
    link("https://d.example", "[\"golang\"]");
    assert_eq!(tags(), "go=1 web=1");
    assert_eq!(
        database.psql("SELECT string_agg(DISTINCT subject_id, ' ') FROM lifestream.events WHERE subject = 'tag'"),
        "tags"
    );
}

#[test]
fn status_shows_every_stage_and_the_circuits_that_are_not_closed() {
    let database = Postgres::shared().database("work_status");
    give_up(&database, "link:a", "fetch_link", "timed out", "a.example", "3 days");
    database.psql(
        "INSERT INTO lifestream.consumer_progress (consumer_group, stage, topic, partition, committed, high, oldest_at, rate) VALUES
             ('router-v1', 'router', 'events.raw', 0, 10, 10, NULL, 0),
             ('fetcher-agent-v2', 'fetcher', 'work.fetch_link', 0, 1, 6, now(), 2);
         INSERT INTO lifestream.pending_retries (work_id, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message)
             VALUES (gen_random_uuid(), 'fetch_link', '', 'link:b', 2, now() + interval '1 h', 'retry', '{}');",
    );
    let quiet = run(&database, &["status"], DONE).stdout;
    assert!(!quiet.contains("CIRCUIT"), "{quiet}");
    let stages: Vec<&str> = quiet.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(stages, ["STAGE", "bridge", "router", "fetcher", "retries", "dead_letters"]);
    database.psql(
        "INSERT INTO lifestream.circuits (consumer_group, lane, state, failures, until, last_error, holds_until)
         VALUES ('fetcher-agent-v2', 'down.example', 'paused', 11, now() + interval '10 min', 'HTTP status 503', DEFAULT),
                ('fetcher-agent-v2', 'gone.example', 'paused', 11, NULL, 'HTTP status 503', now())",
    );
    let status = run(&database, &["status"], DONE).stdout;
    let below: Vec<&str> = status.lines().skip_while(|line| !line.starts_with("CIRCUIT")).collect();
    assert_eq!(below.len(), 2, "{status}");
    for word in ["down.example", "fetcher-agent-v2", "paused", "11", "10 min", "HTTP status 503"] {
        assert!(below[1].contains(word), "{word} in {}", below[1]);
    }
    let json: serde_json::Value = serde_json::from_str(&run(&database, &["status", "--json"], DONE).stdout).unwrap();
    let fetcher = json.as_array().unwrap().iter().find(|stage| stage["stage"] == "fetcher").unwrap();
    assert_eq!((fetcher["backlog"].as_i64(), fetcher["circuits"][0]["lane"].as_str()), (Some(5), Some("down.example")));
    assert!(fetcher["last_error"].as_str().unwrap().contains("down.example is paused"), "{fetcher}");
}

/// Through Kafka and the materializer, as in life; and a reset forgets progress, not what people decided or what waits.
#[test]
fn a_decision_reaches_the_state_and_outlives_a_reset() {
    let pipeline = Pipeline::new("decided", Postgres::shared(), Kafka::shared());
    let database = &pipeline.database;
    pipeline.run(&["init"]);
    let bring_up_to_date = || {
        pipeline.run(&["bridge", "--until-idle"]);
        pipeline.run(&["materializer", "--until-idle"]);
    };
    let message = r#"{"id": "01890a5d-ac96-774b-bcce-b302099a8057", "work_type": "index", "attempt": 3, "max_attempts": 3, "triggered_by_event_id": "01890a5d-ac96-774b-bcce-b302099a8058", "payload": {"n": 1.10}}"#;
    let letter = database.psql(&format!(
        "SELECT lifestream.emit_event('work.dead_lettered', 'work', 'note:1', '{{\"work_message\": {message}, \"error\": \"e\", \"agent\": \"a\"}}')"
    ));
    bring_up_to_date();
    assert_eq!(listed(database, &[]), set(&[&letter]));
    database.psql(
        "SELECT lifestream.retry_dead_letter(id) FROM lifestream.dead_letters WHERE error = 'e';
         SELECT lifestream.emit_event('link.added', 'link', 'link:a', '{\"url\": \"https://a.example\", \"tags\": [\"a\", \"b\"]}')",
    );
    run(database, &["tags", "merge", "a", "b"], DONE);
    bring_up_to_date();
    let state = || {
        database.psql(
            "SELECT status, decided_at, work_message FROM lifestream.dead_letters;
             SELECT string_agg(tag || '=' || links, ' ') FROM lifestream.tag_counts;",
        )
    };
    let before = state();
    assert!(before.starts_with("retried|") && before.contains("1.10") && before.ends_with("b=1"), "{before}");

    database.psql(
        "SELECT lifestream.add_route('note.created', 'index');
         INSERT INTO lifestream.consumer_progress (consumer_group, stage, topic, partition, committed, high) VALUES ('router-v1', 'router', 'events.raw', 0, 1, 2);
         INSERT INTO lifestream.pending_retries (work_id, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message)
             VALUES (gen_random_uuid(), 'index', '', 's', 2, now() + interval '1 h', 'retry', '{}');",
    );
    let reset = pipeline.run(&["reset", "--topics", "--yes"]);
    assert!(reset.contains("work.index: was not there"), "the topic of an added route too: {reset}");
    assert_eq!(
        database.psql("SELECT (SELECT count(*) FROM lifestream.consumer_progress), (SELECT count(*) FROM lifestream.pending_retries), (SELECT count(*) FROM lifestream.routes WHERE NOT builtin)"),
        "0|1|1"
    );
    pipeline.run(&["init"]);
    bring_up_to_date();
    assert_eq!(state(), before, "all of it again changes nothing");
}
