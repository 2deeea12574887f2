//! Every way to fail is told as a fact, and nothing holds up what comes behind it.

use std::time::Duration;

use lifestream_envelope::ids;
use lifestream_tests::eventually;
use lifestream_tests::work::work;
use serde_json::{Value, json};

use crate::bench::{Bench, GROUP, SOON, TYPE, task};

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_says_whether_it_may_pass_and_what_the_work_was() {
    let mut bench = Bench::new("run_failures").await;
    bench.deadline = Duration::from_millis(300);
    let table = [
        ("fail", false, "it did not work"),
        ("permanent", true, "it never will"),
        ("panic", false, "scripted panicked: scripted to panic"),
        ("hang", false, "not done within 300ms"),
        // A fact that PostgreSQL will never take.
        ("odd", true, "content.fetched was refused"),
    ];
    let work: Vec<_> = table.iter().map(|(what, ..)| task(what, 1, json!({"do": what}))).collect();
    bench.put(&work);
    bench.put(&[task("fine", 1, json!({}))]);
    bench.settle().await;
    for (work, (what, permanent, error)) in work.iter().zip(table) {
        let answer = bench.answer(work);
        let payload = &answer["payload"];
        assert_eq!((&answer["event_type"], &answer["subject"]), (&json!("work.failed"), &json!("work")), "{what}");
        assert_eq!((&payload["permanent"], &payload["agent"]), (&json!(permanent), &json!(GROUP)), "{what}");
        assert!(payload["error"].as_str().unwrap().contains(error), "{what}: {payload}");
        assert_eq!(payload["work_message"]["id"], json!(work.id), "{what}");
    }
    assert_eq!(bench.count("lifestream.events WHERE event_type = 'scripted.done'"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_record_however_odd_holds_up_the_next_one() {
    let bench = Bench::new("run_odd").await;
    let whole = String::from_utf8(task("x", 1, json!({})).value().unwrap()).unwrap();
    let odd: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("null", b"null".to_vec()),
        ("no UTF-8", b"\xff\xfe\x00".to_vec()),
        ("cut off", whole.as_bytes()[..100].to_vec()),
        ("deeply nested", [b"{\"payload\":".repeat(5_000), b"1".to_vec()].concat()),
        ("another type", whole.replace("\"fetch_link\"", "\"enrich_link\"").into_bytes()),
        ("no attempt", whole.replace("\"attempt\":1", "\"attempt\":0").into_bytes()),
    ];
    for (key, value) in &odd {
        bench.topic.put_value(key, value);
    }
    // Work that is sound, and of which PostgreSQL takes not every part.
    let zero = task("zero", 1, json!({"do": "fail", "text": "a\0b"}));
    let long = task(&"x".repeat(1_100), 1, json!({"do": "fail"}));
    let huge = task("huge", 1, json!({"do": "fail", "text": "x".repeat(921_400)}));
    bench.put(&[zero.clone(), long.clone(), huge.clone()]);
    let after: Vec<_> = (0..12).map(|n| task(&format!("after:{n}"), n, json!({}))).collect();
    bench.put(&after);
    bench.settle().await;
    assert_eq!(bench.count("lifestream.events WHERE event_type = 'scripted.done'"), 12);
    let dead = bench.psql("SELECT count(*), count(DISTINCT subject_id), bool_and(payload->'work_message' ? 'raw') FROM lifestream.events WHERE event_type = 'work.dead_lettered'");
    assert_eq!(dead, format!("{0}|{0}|t", odd.len() + 1));
    for work in [&zero, &huge] {
        let payload = bench.answer(work)["payload"].clone();
        // The router puts the payload in again before the next attempt.
        let omitted = json!({"lifestream_payload_omitted": true});
        assert_eq!((&payload["permanent"], &payload["work_message"]["payload"]), (&json!(false), &omitted));
    }
    // Delivered again, nothing is told twice.
    let before = bench.count("lifestream.events");
    bench.put(&[zero, long, huge]);
    bench.settle().await;
    assert_eq!(bench.count("lifestream.events"), before + 1, "a record that is told by its offset");
    let again: Value =
        bench.psql("SELECT count(*) FROM lifestream.events WHERE event_type = 'work.failed'").parse().unwrap();
    assert_eq!(again, json!(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_event_of_the_answers_own_id_says_that_work_is_answered() {
    let bench = Bench::new("run_unique").await;
    bench.psql("CREATE UNIQUE INDEX mine ON lifestream.events ((payload ->> 'n')) WHERE event_type = 'scripted.done'");
    let first = task("first", 1, json!({}));
    bench.put(std::slice::from_ref(&first));
    bench.settle().await;
    // A user's own index refuses this fact; somebody else answers that work while it is done.
    let (doubled, overtaken) = (task("doubled", 1, json!({})), task("overtaken", 1, json!({"do": "wait"})));
    bench.put(&[doubled.clone(), overtaken.clone()]);
    let member = bench.start();
    eventually(SOON, "the refusal is told", || !bench.answer(&doubled).is_null());
    eventually(SOON, "the other one has begun", || bench.began("overtaken") == 1);
    let id = ids::result_id(GROUP, overtaken.id);
    bench.psql(&format!("SELECT lifestream.emit_event('scripted.other', 'link', 'overtaken', '{{}}', id => '{id}')"));
    bench.world.gate.add_permits(1);
    member.stop().await;
    let payload = bench.answer(&doubled)["payload"].clone();
    let error = payload["error"].as_str().unwrap();
    assert!(error.contains("scripted.done was refused") && error.contains("\"mine\""), "{error}");
    assert_eq!(payload["permanent"], json!(true));
    assert_eq!(bench.answer(&overtaken)["event_type"], json!("scripted.other"));
    assert_eq!(bench.count("lifestream.events"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dead_letter_of_a_record_has_an_id_of_its_place() {
    let bench = Bench::new("run_place").await;
    bench.topic.put_value("k", b"no work");
    bench.settle().await;
    let row = bench.psql("SELECT id, payload->'work_message'->>'partition' FROM lifestream.events");
    let (id, partition) = row.split_once('|').unwrap();
    assert_eq!(id, ids::malformed_id(GROUP, "work.fetch_link", partition.parse().unwrap(), 0).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_is_waited_for_and_nothing_is_answered_twice() {
    static POSTGRES: std::sync::OnceLock<lifestream_tests::Postgres> = std::sync::OnceLock::new();
    let postgres = POSTGRES.get_or_init(lifestream_tests::Postgres::start);
    let bench = Bench::on("run_outage", postgres).await;
    let tasks: Vec<_> =
        (0..600).map(|n| work(TYPE, &format!("link:{}", n % 50), &json!({"n": n, "do": "pause"}))).collect();
    let member = bench.start();
    for round in 0..3 {
        bench.put(&tasks[round * 200..(round + 1) * 200]);
        let before = i64::try_from(round).unwrap() * 200;
        eventually(SOON, "it is at work", || bench.count("lifestream.events") > before);
        if round == 1 {
            postgres.restart()
        } else {
            postgres.stop_immediate()
        }
        if round != 1 {
            postgres.start_again();
        }
        postgres.terminate_backends();
    }
    eventually(SOON, "all is answered", || bench.count("lifestream.events") == 600);
    member.stop().await;
    let failed = bench.count("lifestream.events WHERE event_type <> 'scripted.done'");
    assert_eq!(failed, 0);
}
