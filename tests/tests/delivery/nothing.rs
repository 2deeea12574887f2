//! Nothing goes away: all that is emitted arrives, as the contract has it.

use crate::{assert_arrived_in_order, drained, pipeline};

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
