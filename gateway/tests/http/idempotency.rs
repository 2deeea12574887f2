//! A request sent again records nothing twice.

use std::collections::BTreeSet;

use lifestream_envelope::ids;
use serde_json::json;

use crate::bench::{Gateway, LAPTOP, PHONE, address, spawn, waits_for_a_lock};

const LINK: &str = r#"{"url":"https://example.org/","title":"A"}"#;

#[test]
fn a_repeat_is_answered_as_the_first_was_also_by_another_process() {
    let mut gateway = Gateway::start("gw_repeat");
    let first = gateway.with_key("8e03978e-40d5", "/links", LINK);
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, None));
    assert_eq!(first.id(), ids::gateway_id("phone", "8e03978e-40d5", 0).to_string());
    // The bridge's flag makes a new version of the row.
    gateway.database.psql("UPDATE lifestream.events SET published_to_kafka = true");
    let again = gateway.with_key("\"8e03978e-40d5\"", "/links", LINK);
    assert_eq!((again.status, again.json()), (201, first.json()));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));

    let url = gateway.database.url();
    let successor = spawn(&url, Some(&gateway.tokens));
    gateway.address = address(&successor);
    let other = std::mem::replace(&mut gateway.program, successor);
    assert_eq!(other.terminate().code(), Some(0));
    let again = gateway.with_key("8e03978e-40d5", "/links", LINK);
    assert_eq!((again.json(), again.header("idempotency-replayed")), (first.json(), Some("true")));
    assert_eq!(gateway.events(), 1);
}

#[test]
fn another_request_under_the_same_key_is_refused_and_records_nothing() {
    let gateway = Gateway::start("gw_reused");
    let event = |subject: &str, text: &str| json!({"event_type": "note.created", "subject": "note", "subject_id": subject, "payload": {"text": text}});
    let first = event("n-1", "a").to_string();
    let id = gateway.with_key("k", "/events", &first).id();
    for (name, path, body) in [
        ("another payload", "/events", event("n-1", "b").to_string()),
        ("another subject", "/events", event("n-2", "a").to_string()),
        ("another path", "/links", LINK.to_owned()),
        ("an array of it", "/events", format!("[{first}]")),
        ("more of it", "/events", json!([event("n-1", "a"), event("n-3", "c")]).to_string()),
        ("other blanks", "/events", format!("{first} ")),
    ] {
        let answer = gateway.with_key("k", path, &body);
        println!("{name}: {}", answer.text());
        answer.is_problem(422, &["idempotency-key-reused", "\\\"k\\\"", "octet for octet"]);
    }
    assert_eq!(gateway.events(), 1);
    assert_eq!(gateway.with_key("k", "/events", &first).id(), id);
    // Keys are each token's own.
    let other = gateway.post_as(LAPTOP, "/events", &[("Idempotency-Key", "k")], &first);
    assert_ne!(other.id(), id);
    // A refused request leaves its key free.
    gateway.with_key("k2", "/events", &event("", "a").to_string()).is_problem(422, &["22023"]);
    assert_eq!(gateway.with_key("k2", "/events", &first).status, 201);
    // An event whose own id says what a repeat is needs no key.
    let own =
        r#"{"event_type":"t","subject":"s","subject_id":"s","payload":{},"id":"01890a5d-ac96-774b-bcce-b302099a8057"}"#;
    gateway.with_key("k3", "/events", own).is_problem(422, &["an event with an id", "#/id"]);
    gateway.with_key("k3", "/events", &format!("[{first},{own}]")).is_problem(422, &["#/1/id"]);
    let stored = gateway.database.psql(&format!("SELECT headers FROM lifestream.events WHERE id = '{id}'"));
    assert!(stored.contains("idempotency_fingerprint") && !stored.contains(PHONE), "{stored}");
}

#[test]
fn an_array_and_an_expected_version_are_repeated_as_well() {
    let gateway = Gateway::start("gw_repeat_array");
    let event = |n: usize| json!({"event_type": "t", "subject": "s", "subject_id": "one", "payload": {"n": n}, "expected_version": n});
    let body = json!([event(0), event(1), event(2)]).to_string();
    let first = gateway.with_key("a", "/events", &body);
    assert_eq!(first.status, 201, "{}", first.text());
    let expected: Vec<String> = (0..3).map(|n| ids::gateway_id("phone", "a", n).to_string()).collect();
    assert_eq!(first.json(), json!({ "ids": expected }));
    assert_eq!(gateway.with_key("a", "/events", &body).json(), first.json());
    assert_eq!(gateway.events(), 3);
}

#[test]
fn of_requests_that_race_one_records_and_all_learn_its_id() {
    let gateway = Gateway::start("gw_race");
    const CALLERS: usize = 12;
    // All of them wait in the database at once, as far as there are connections: none has come first by a comfortable margin.
    let race = |key: &str, body: &(dyn Fn(usize) -> String + Sync)| {
        let lock = gateway.database.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(lock.connect());
        runtime.block_on(client.batch_execute("BEGIN; LOCK TABLE lifestream.events IN ACCESS EXCLUSIVE MODE")).unwrap();
        std::thread::scope(|scope| {
            let callers: Vec<_> = (0..CALLERS)
                .map(|n| {
                    let gateway = &gateway;
                    scope.spawn(move || gateway.with_key(key, "/links", &body(n)))
                })
                .collect();
            waits_for_a_lock(&gateway.database, 8);
            runtime.block_on(client.batch_execute("COMMIT")).unwrap();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect::<Vec<_>>()
        })
    };
    let same = race("same", &|_| LINK.to_owned());
    let ids: BTreeSet<String> = same.iter().map(crate::bench::Answer::id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(same.iter().filter(|answer| answer.header("idempotency-replayed").is_none()).count(), 1);
    assert_eq!(gateway.events(), 1);

    let differing = race("differing", &|n| format!(r#"{{"url":"https://example.org/","title":"{n}"}}"#));
    let recorded: Vec<_> = differing.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(recorded.len(), 1, "one of them");
    for answer in differing.iter().filter(|answer| answer.status != 201) {
        answer.is_problem(422, &["idempotency-key-reused"]);
    }
    assert_eq!(gateway.events(), 2);
    println!(
        "{CALLERS} racing requests: one event, one id; {CALLERS} racing with other bodies: one event, {} refused",
        CALLERS - 1
    );
}
