//! From SQL to Kafka, end to end, through everything that may go away meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lifestream_tests::oracle::{Oracle, Verdict};
use lifestream_tests::{Database, Kafka, KafkaOptions, Pipeline, Postgres, PostgresOptions, Program, eventually};

const SOON: Duration = Duration::from_secs(60);

fn pipeline(test: &str) -> Pipeline<'static> {
    let pipeline = Pipeline::new(test, Postgres::shared(), Kafka::shared());
    pipeline.run(&["init"]);
    pipeline
}

fn unpublished(database: &Database<'_>) -> u64 {
    database.psql("SELECT count(*) FROM lifestream.events WHERE NOT published_to_kafka").parse().unwrap()
}

fn drained(database: &Database<'_>) {
    eventually(SOON, "every event has its flag", || unpublished(database) == 0);
}

/// Writers that emit until they are told to stop, each for subjects of its own, reconnecting when they must.
struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<tokio::task::JoinHandle<()>>,
    oracle: Arc<Oracle>,
}

impl Load {
    fn start(url: &str, writers: usize) -> Self {
        let (stop, oracle) = (Arc::new(AtomicBool::new(false)), Arc::new(Oracle::default()));
        let writers = (0..writers)
            .map(|writer| tokio::spawn(write(url.to_owned(), writer, Arc::clone(&stop), Arc::clone(&oracle))))
            .collect();
        Self { stop, writers, oracle }
    }

    /// Waits until so many more events are committed.
    async fn more(&self, events: usize) {
        let target = self.oracle.committed() + events;
        lifestream_tests::eventually_async(SOON, "the writers go on", || async { self.oracle.committed() >= target })
            .await;
    }

    async fn stop(self) -> Arc<Oracle> {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            writer.await.unwrap();
        }
        self.oracle
    }
}

async fn write(url: String, writer: usize, stop: Arc<AtomicBool>, oracle: Arc<Oracle>) {
    let subjects = [format!("writer-{writer}-a"), format!("writer-{writer}-b")];
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        let Ok((mut client, connection)) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        tokio::spawn(async move { drop(connection.await) });
        while !stop.load(Ordering::Relaxed) && !client.is_closed() {
            n += 1;
            let events = [subjects[0].as_str(), subjects[1].as_str(), subjects[0].as_str()];
            oracle.emit(&mut client, "load.done", &events[..1 + n % 3], n % 5 != 0).await;
        }
    }
}

fn assert_nothing_wrong(oracle: &Oracle, pipeline: &Pipeline<'_>) {
    let verdict = oracle.judge(&pipeline.events(), None);
    assert_eq!(verdict, Verdict::default(), "{} events were committed", oracle.committed());
    assert!(oracle.committed() > 0);
}

#[test]
fn a_hundred_thousand_events_of_one_statement_arrive_once_and_in_order() {
    let pipeline = pipeline("one_statement");
    let bridge = pipeline.spawn(&["bridge"]);
    pipeline.database.psql(
        "SELECT count(lifestream.emit_event('bulk.done', 'bulk', 'bulk-' || i % 100, jsonb_build_object('n', i))) FROM generate_series(1, 100000) i",
    );
    drained(&pipeline.database);
    assert_arrived_in_order(&pipeline, 100_000);
    assert_eq!(bridge.terminate().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_events_of_a_hundred_connections_arrive_once_and_in_order() {
    let pipeline = pipeline("hundred_connections");
    let bridge = pipeline.spawn(&["bridge"]);
    let mut sessions = Vec::new();
    for session in 0..100 {
        let client = pipeline.database.connect().await;
        sessions.push(tokio::spawn(async move {
            // Ten transactions of a hundred events: between them the sessions interleave.
            for _ in 0..10 {
                let sql =
                    "SELECT count(lifestream.emit_event('bulk.done', 'bulk', $1, '{}')) FROM generate_series(1, 100)";
                client.query_one(sql, &[&format!("session-{session}")]).await.unwrap();
            }
        }));
    }
    for session in sessions {
        session.await.unwrap();
    }
    drained(&pipeline.database);
    assert_arrived_in_order(&pipeline, 100_000);
    assert_eq!(bridge.terminate().code(), Some(0));
}

fn assert_arrived_in_order(pipeline: &Pipeline<'_>, expected: usize) {
    let events = pipeline.events();
    assert_eq!(events.len(), expected);
    let ids: HashSet<_> = events.iter().map(lifestream_tests::Record::event_id).collect();
    assert_eq!(ids.len(), expected, "an event was sent twice");
    let mut last = std::collections::HashMap::new();
    for event in &events {
        let (seq, partition) = (event.json()["seq"].as_i64().unwrap(), event.partition);
        if let Some((before, same)) = last.insert(event.key().to_owned(), (seq, partition)) {
            assert!(before < seq && same == partition, "subject {} is out of order", event.key());
        }
    }
}

#[test]
fn an_event_has_the_key_the_headers_and_the_value_of_the_contract() {
    let pipeline = pipeline("contract");
    let id = "018f0000-0000-7000-8000-000000000001";
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    pipeline.database.psql(&format!(
        "SELECT lifestream.emit_event('link.added', 'link', 'link:é', '{{\"n\": 1.10, \"s\": \"\\u00e9\\n\"}}', id => '{id}', source => 'app é', \
             occurred_at => '2026-01-02 03:04:05.678901+02', correlation_id => '{id}', tenant_id => 't', schema_version => 3, \
             headers => '{{\"x-own\": \"yes\", \"traceparent\": \"{trace}\"}}')"
    ));
    pipeline.run(&["bridge", "--until-idle"]);
    let events = pipeline.events();
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(event.key(), "link:é");
    let headers: Vec<(&str, &str)> = event
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), std::str::from_utf8(value.as_deref().unwrap()).unwrap()))
        .collect();
    for expected in [
        ("event_type", "link.added"),
        ("source", "app é"),
        ("event_id", id),
        ("correlation_id", id),
        ("traceparent", trace),
        ("x-own", "yes"),
        ("ce_specversion", "1.0"),
        ("ce_id", id),
        ("ce_type", "link.added"),
        ("ce_subject", "link:é"),
        ("ce_time", "2026-01-02T01:04:05.678901Z"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(headers.iter().filter(|header| **header == expected).count(), 1, "{expected:?} in {headers:?}");
    }
    let value = String::from_utf8(event.value.clone().unwrap()).unwrap();
    assert!(value.contains(r#""n": 1.10"#), "the number keeps its digits: {value}");
    let json = event.json();
    assert_eq!(json["payload"]["s"], "é\n");
    assert_eq!(json["seq"], 1);
    assert_eq!(json["occurred_at"], "2026-01-02T01:04:05.678901Z");
    assert_eq!(json["causation_id"], serde_json::Value::Null);
    assert_eq!(json["tenant_id"], "t");
    assert_eq!(json["headers"]["x-own"], "yes");
    assert_eq!(json.get("published_to_kafka"), None);
    assert_eq!(json.as_object().unwrap().len(), 14);
}

#[test]
fn an_ordinary_restart_sends_nothing_twice_and_writes_no_marker() {
    let pipeline = pipeline("restart");
    for round in 1..=3 {
        pipeline.database.psql("SELECT lifestream.emit_event('note.created', 'note', 'n', '{}')");
        pipeline.run(&["bridge", "--until-idle"]);
        assert_eq!(pipeline.records("events.raw").len(), round, "one event a round, no markers");
    }
}

/// A crash with `synchronous_commit` off, a promotion or a snapshot may bring back the row of an epoch that had closed.
#[test]
fn progress_that_went_back_to_a_closed_epoch_sends_nothing_twice() {
    let pipeline = pipeline("older_progress");
    let emit = || pipeline.database.psql("SELECT lifestream.emit_event('note.created', 'note', 'n', '{}')");
    emit();
    pipeline.run(&["bridge", "--until-idle"]);
    pipeline.database.psql("CREATE TABLE older AS TABLE lifestream.bridge_progress");
    emit();
    pipeline.run(&["bridge", "--until-idle"]);
    pipeline.database.psql(
        "UPDATE lifestream.bridge_progress p SET watermark = o.watermark, high = o.high, offsets = o.offsets, closed = o.closed \
         FROM older o; \
         UPDATE lifestream.events SET published_to_kafka = false WHERE seq > (SELECT high FROM older)",
    );
    pipeline.run(&["bridge", "--until-idle"]);
    assert_eq!(unpublished(&pipeline.database), 0);
    assert_eq!(pipeline.events().len(), 2);
}

#[test]
fn a_start_that_takes_longer_than_the_lease_keeps_it() {
    let pipeline = pipeline("slow_start");
    pipeline.run(&["bridge", "--until-idle"]);
    pipeline.database.psql("SELECT lifestream.emit_event('note.created', 'note', 'n', '{}')");
    std::thread::scope(|scope| {
        // The start procedure waits for this lock, as it would read for long after a long outage.
        scope.spawn(|| {
            pipeline
                .database
                .psql("BEGIN; LOCK TABLE lifestream.events IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(20); COMMIT");
        });
        let locked = "SELECT count(*) FROM pg_locks WHERE relation = 'lifestream.events'::regclass AND mode = 'AccessExclusiveLock'";
        eventually(SOON, "the table is locked", || pipeline.database.psql(locked) == "1");
        let bridges = [pipeline.spawn(&["bridge"]), pipeline.spawn(&["bridge"])];
        eventually(SOON, "one publishes", || bridges.iter().any(|bridge| bridge.log().contains("publishing")));
        eventually(SOON, "the event has its flag", || unpublished(&pipeline.database) == 0);
        for bridge in bridges {
            assert!(!bridge.log().contains("WARN"), "a slow start is no outage:\n{}", bridge.log());
            assert_eq!(bridge.terminate().code(), Some(0));
        }
    });
}

#[test]
fn a_server_that_does_not_answer_holds_up_no_end_and_a_second_signal_leaves_at_once() {
    let pipeline = pipeline("two_signals");
    let bridges = [pipeline.spawn(&["bridge"]), pipeline.spawn(&["bridge"])];
    eventually(SOON, "one publishes", || bridges.iter().any(|bridge| bridge.log().contains("publishing")));
    eventually(SOON, "one stands by", || bridges.iter().any(|bridge| bridge.log().contains("standing by")));
    let [mut first, mut second] = bridges;
    if second.log().contains("publishing") {
        std::mem::swap(&mut first, &mut second);
    }
    // Nothing to drain: a bridge that stands by goes with the first signal.
    assert_eq!(second.terminate().code(), Some(0));
    let lock = "BEGIN; LOCK TABLE lifestream.bridge_progress IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(14); COMMIT";
    let locked = "SELECT count(*) FROM pg_locks WHERE relation = 'lifestream.bridge_progress'::regclass AND mode = 'AccessExclusiveLock' AND granted";
    std::thread::scope(|scope| {
        scope.spawn(|| pipeline.database.psql(lock));
        eventually(SOON, "the progress is locked", || pipeline.database.psql(locked) == "1");
        first.signal("INT");
        assert_eq!(first.wait(Duration::from_secs(12)).code(), Some(0), "the first signal drains, but not for ever");
    });
    let third = pipeline.spawn(&["bridge"]);
    eventually(SOON, "it publishes", || third.log().contains("publishing"));
    std::thread::scope(|scope| {
        scope.spawn(|| pipeline.database.psql(&lock.replace("14", "4")));
        eventually(SOON, "the progress is locked", || pipeline.database.psql(locked) == "1");
        third.signal("INT");
        eventually(SOON, "it drains", || third.log().contains("once more to leave at once"));
        third.signal("INT");
        assert_eq!(third.wait(Duration::from_secs(2)).code(), Some(130));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_again_and_again_loses_nothing_and_sends_nothing_twice() {
    let pipeline = pipeline("kill_9");
    let load = Load::start(&pipeline.database.url(), 4);
    for _ in 0..8 {
        let bridge = pipeline.spawn(&["bridge"]);
        load.more(300).await;
        bridge.kill9();
    }
    let oracle = load.stop().await;
    pipeline.run(&["bridge", "--until-idle"]);
    assert_eq!(unpublished(&pipeline.database), 0);
    assert_nothing_wrong(&oracle, &pipeline);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_bridges_one_publishes_and_the_other_takes_over_at_once() {
    let pipeline = pipeline("two_bridges");
    let first = pipeline.spawn(&["bridge"]);
    eventually(SOON, "the first publishes", || first.log().contains("publishing"));
    let second = pipeline.spawn(&["bridge"]);
    eventually(SOON, "the second stands by", || second.log().contains("standing by"));
    let load = Load::start(&pipeline.database.url(), 2);
    load.more(200).await;
    let killed = std::time::Instant::now();
    first.kill9();
    eventually(SOON, "the second publishes", || second.log().contains("publishing"));
    assert!(killed.elapsed() < Duration::from_secs(5), "taking over took {:?}", killed.elapsed());
    load.more(200).await;
    let oracle = load.stop().await;
    drained(&pipeline.database);
    assert_nothing_wrong(&oracle, &pipeline);
    assert_eq!(second.terminate().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bridge_stopped_past_its_lease_changes_nothing_when_it_goes_on() {
    let pipeline = pipeline("stopped");
    let first = pipeline.spawn(&["bridge"]);
    eventually(SOON, "the first publishes", || first.log().contains("publishing"));
    let load = Load::start(&pipeline.database.url(), 2);
    load.more(100).await;
    first.sigstop();
    let second = pipeline.spawn(&["bridge"]);
    eventually(SOON, "the second publishes", || second.log().contains("publishing"));
    load.more(100).await;
    first.sigcont();
    eventually(SOON, "the first stands by", || first.log().contains("standing by"));
    load.more(100).await;
    let oracle = load.stop().await;
    drained(&pipeline.database);
    assert_nothing_wrong(&oracle, &pipeline);
    for bridge in [first, second] {
        assert_eq!(bridge.terminate().code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_down_at_the_start_and_later_is_waited_for_and_said_once() {
    let kafka = Kafka::start_with(&KafkaOptions::default());
    let pipeline = Pipeline::new("kafka_down", Postgres::shared(), &kafka);
    pipeline.run(&["init"]);
    kafka.kill9();
    let bridge = pipeline.spawn(&["bridge"]);
    let load = Load::start(&pipeline.database.url(), 2);
    eventually(SOON, "the bridge says that Kafka is away", || bridge.log().contains("KAFKA_BROKERS"));
    load.more(500).await;
    kafka.start_again();
    eventually(SOON, "the bridge publishes", || bridge.log().contains("publishing"));
    load.more(500).await;
    kafka.kill9();
    load.more(2_000).await;
    kafka.start_again();
    let oracle = load.stop().await;
    drained(&pipeline.database);
    assert_nothing_wrong(&oracle, &pipeline);
    let complaints = bridge.log().lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).count();
    assert!(complaints <= 6, "{complaints} complaints for two outages:\n{}", bridge.log());
    assert_eq!(bridge.terminate().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_restarted_and_crashed_under_load_loses_nothing() {
    let postgres = Postgres::start_with(&PostgresOptions { settings: vec!["fsync=on".into()], ..Default::default() });
    let pipeline = Pipeline::new("postgres_restarts", &postgres, Kafka::shared());
    pipeline.run(&["init"]);
    postgres.stop("fast");
    let bridge = pipeline.spawn(&["bridge"]);
    eventually(SOON, "the bridge says that Postgres is away", || bridge.log().contains("DATABASE_URL"));
    postgres.start_again();
    let load = Load::start(&pipeline.database.url(), 3);
    load.more(300).await;
    postgres.restart();
    load.more(300).await;
    postgres.stop_immediate();
    postgres.start_again();
    load.more(300).await;
    postgres.terminate_backends();
    load.more(300).await;
    let oracle = load.stop().await;
    drained(&pipeline.database);
    assert_nothing_wrong(&oracle, &pipeline);
    assert_eq!(bridge.terminate().code(), Some(0));
}

#[test]
fn what_kafka_refuses_is_parked_with_its_subject_and_the_others_go_on() {
    let pipeline = pipeline("refused");
    // The extension lets 900 kB through; this topic takes 100 kB.
    let config = [
        "--entity-type",
        "topics",
        "--entity-name",
        &format!("{}events.raw", pipeline.prefix),
        "--alter",
        "--add-config",
        "max.message.bytes=100000",
    ];
    let altered = Kafka::shared()
        .tool("kafka.admin.ConfigCommand")
        .args(["--bootstrap-server", &pipeline.kafka.brokers()])
        .args(config)
        .output()
        .unwrap();
    assert!(altered.status.success(), "{}", String::from_utf8_lossy(&altered.stderr));
    let bridge = pipeline.spawn(&["bridge"]);
    pipeline.database.psql(
        "SELECT lifestream.emit_event('test.done', 'test', CASE WHEN i % 10 = 5 THEN 'large' ELSE 'small-' || i % 3 END, \
             jsonb_build_object('text', CASE WHEN i = 25 THEN (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 10000) n) END)) \
         FROM generate_series(1, 100) i",
    );
    eventually(SOON, "all but the subject of the large one is published", || unpublished(&pipeline.database) == 8);
    assert_eq!(
        pipeline.database.psql("SELECT string_agg(seq::text || (behind IS NOT NULL)::text, ' ' ORDER BY seq) FROM lifestream.parked WHERE stage = 'bridge'"),
        "25false 35true 45true 55true 65true 75true 85true 95true"
    );
    assert_arrived_in_order(&pipeline, 92);
    // A restart forgets nothing of it.
    assert_eq!(bridge.terminate().code(), Some(0));
    pipeline.database.psql("SELECT lifestream.emit_event('test.done', 'test', 'large', '{}'), lifestream.emit_event('test.done', 'test', 'small-0', '{}')");
    pipeline.run(&["bridge", "--until-idle"]);
    assert_eq!(unpublished(&pipeline.database), 9);
    assert_arrived_in_order(&pipeline, 93);
}

#[test]
fn a_bridge_needs_no_more_than_its_role() {
    let pipeline = pipeline("bridge_role");
    let database = &pipeline.database;
    database.psql(
        "DROP ROLE IF EXISTS a_bridge; CREATE ROLE a_bridge LOGIN PASSWORD 'b' IN ROLE lifestream_bridge; \
         SELECT lifestream.emit_event('note.created', 'note', 'n', '{}') FROM generate_series(1, 10)",
    );
    let url = format!("postgresql://a_bridge:b@127.0.0.1:{}/{}", database.postgres.port(), database.name);
    let mut environment = pipeline.environment();
    environment.push(("DATABASE_URL".to_owned(), url));
    for _ in 0..2 {
        Program::run(&["bridge", "--until-idle"], &environment);
        assert_eq!(unpublished(database), 0);
        database.psql("SELECT lifestream.emit_event('note.created', 'note', 'n', '{}')");
    }
}

#[test]
fn an_unfit_database_or_topic_is_refused_with_what_to_do() {
    let pipeline = Pipeline::new("unfit", Postgres::shared(), Kafka::shared());
    let bridge = pipeline.spawn(&["bridge"]);
    eventually(SOON, "it misses the topic", || bridge.log().contains("lifestream init"));
    pipeline.run(&["init"]);
    eventually(SOON, "it goes on once the topic is there", || bridge.log().contains("publishing"));
    assert_eq!(bridge.terminate().code(), Some(0));
    for (break_it, mend_it, words) in [
        (
            "ALTER SEQUENCE lifestream.events_seq_seq CACHE 20",
            "ALTER SEQUENCE lifestream.events_seq_seq CACHE 1",
            "CACHE 1 INCREMENT 1 NO CYCLE",
        ),
        (
            "ALTER TABLE lifestream.events ENABLE TRIGGER a_guard_event",
            "ALTER TABLE lifestream.events ENABLE ALWAYS TRIGGER a_guard_event",
            "ENABLE ALWAYS TRIGGER a_guard_event",
        ),
        ("CREATE TABLE child () INHERITS (lifestream.events)", "DROP TABLE child", "plain table"),
    ] {
        pipeline.database.psql(break_it);
        let refused = Program::run_with(&["bridge", "--until-idle"], &pipeline.environment(), b"");
        assert_ne!(refused.status.code(), Some(0));
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
        pipeline.database.psql(mend_it);
    }
    pipeline.run(&["bridge", "--until-idle"]);
}
