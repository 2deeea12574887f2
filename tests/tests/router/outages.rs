//! PostgreSQL and Kafka go away while events are routed: whatever ends, every event becomes its work.

use std::collections::{BTreeMap, BTreeSet};

use lifestream_envelope::ids;
use lifestream_tests::{Kafka, Postgres, PostgresOptions, eventually};
use serde_json::{Value, json};

use crate::bench::{Bench, SOON};

/// What an event leads to, by its number: work, work and another attempt, or work and a dead letter.
const EMIT: &str = "
    WITH added AS (
        SELECT n, lifestream.emit_event('link.added', 'link', 'link:ROUND-' || n, jsonb_build_object('url', 'https://example.org/' || n)) AS id
        FROM generate_series(1, 1500) n
    ), failed AS (
        SELECT lifestream.emit_event('work.failed', 'work', 'link:ROUND-' || n, jsonb_build_object(
            'error', 'away', 'agent', 'fetcher-agent-v2', 'permanent', n % 10 = 1, 'not_before', NULL, 'work_message', jsonb_build_object(
                'id', lifestream.derived_id('work|' || id || '|fetch_link|1'), 'tenant_id', '', 'subject', 'link',
                'subject_id', 'link:ROUND-' || n, 'work_type', 'fetch_link', 'correlation_id', id, 'triggered_by_event_id', id,
                'attempt', 1, 'max_attempts', 3, 'created_at', '2026-01-01T00:00:00Z', 'not_before', NULL, 'last_error', NULL,
                'payload', '{}'::jsonb)))
        FROM added WHERE n % 10 < 2
    ) SELECT count(*) FROM failed";

#[tokio::test(flavor = "multi_thread")]
async fn restarts_and_crashes_of_postgres_and_kafka_leave_no_work_out() {
    let settings = PostgresOptions { settings: vec!["fsync=on".into()], ..PostgresOptions::default() };
    // They end with the test program.
    let postgres: &'static Postgres = Box::leak(Box::new(Postgres::start_with(&settings)));
    let kafka: &'static Kafka = Box::leak(Box::new(Kafka::start()));
    let mut bench = Bench::on("router_outages", postgres, kafka).await;
    bench.pipeline = bench.pipeline.with("LIFESTREAM_RETRY_BASE", "200ms");
    let _bridge = bench.pipeline.spawn(&["bridge"]);
    let mut routers = [bench.pipeline.spawn(&["router"]), bench.pipeline.spawn(&["router"])];

    let outages: [(&str, &dyn Fn()); 5] = [
        ("postgres is restarted", &|| postgres.restart()),
        ("postgres crashes", &|| {
            postgres.stop_immediate();
            postgres.start_again();
        }),
        ("kafka is killed", &|| {
            kafka.kill9();
            // More comes meanwhile.
            assert_eq!(bench.psql(&EMIT.replace("ROUND", "kafka-away")), "300");
            kafka.start_again();
        }),
        ("sessions are ended", &|| assert!(postgres.terminate_backends() > 0)),
        ("both crash", &|| {
            kafka.kill9();
            postgres.stop_immediate();
            postgres.start_again();
            kafka.start_again();
        }),
    ];
    for (round, (what, outage)) in outages.iter().enumerate() {
        let before = bench.work("fetch_link").len();
        assert_eq!(bench.psql(&EMIT.replace("ROUND", &round.to_string())), "300");
        eventually(SOON, &format!("events are routed when {what}"), || bench.work("fetch_link").len() > before);
        outage();
    }

    let ids = |event_type: &str, filter: &str| -> Vec<uuid::Uuid> {
        let found =
            bench.psql(&format!("SELECT id FROM lifestream.events WHERE event_type = '{event_type}' AND {filter}"));
        found.lines().map(|id| id.parse().unwrap()).collect()
    };
    let number = "substring(subject_id FROM '[0-9]+$')::int % 10";
    let work = |events: Vec<uuid::Uuid>, attempt| {
        events.into_iter().map(move |event| ids::work_id(event, "fetch_link", attempt).to_string())
    };
    let expected: BTreeSet<String> =
        work(ids("link.added", "true"), 1).chain(work(ids("link.added", &format!("{number} = 0")), 2)).collect();
    let letters: BTreeSet<String> = ids("link.added", &format!("{number} = 1"))
        .into_iter()
        .map(|event| ids::dead_letter_id("fetcher-agent-v2", ids::work_id(event, "fetch_link", 1)).to_string())
        .collect();
    assert_eq!((expected.len(), letters.len()), (6 * 1650, 6 * 150));
    let on_topic = |messages: &[Value]| -> BTreeSet<String> {
        messages.iter().map(|work| work["id"].as_str().unwrap().to_owned()).collect()
    };
    eventually(SOON, "all work is there", || on_topic(&bench.work("fetch_link")).len() >= expected.len());
    let given_up = || -> BTreeSet<String> {
        bench.records("dead_letter").iter().map(|record| record.header("event_id").unwrap().to_owned()).collect()
    };
    eventually(SOON, "all dead letters are there", || given_up().len() >= letters.len());
    eventually(SOON, "nothing waits", || bench.count("lifestream.pending_retries") == 0);
    for router in &mut routers {
        assert!(router.is_running(), "{}", router.log());
    }
    for router in routers {
        assert_eq!(router.terminate().code(), Some(0));
    }

    let messages = bench.work("fetch_link");
    println!("{} pieces of work, {} messages", expected.len(), messages.len());
    assert_eq!(on_topic(&messages), expected);
    assert_eq!(given_up(), letters);
    assert_eq!(ids("work.dead_lettered", "true").iter().map(ToString::to_string).collect::<BTreeSet<_>>(), letters);
    let mut first: BTreeMap<String, Value> = BTreeMap::new();
    for mut work in messages {
        // The only member that tells when it was made.
        work["created_at"] = json!(null);
        let same = first.entry(work["id"].as_str().unwrap().to_owned()).or_insert_with(|| work.clone());
        assert_eq!(*same, work, "one id, two messages");
    }
}
