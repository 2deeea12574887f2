//! Whatever JSON a payload holds, the state holds the same: PostgreSQL is the oracle.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use crate::bench::{Bench, event};

/// JSON text: numbers beyond f64, any Unicode but the zero character, escapes, nesting.
fn json() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        "-?[1-9][0-9]{0,60}(\\.[0-9]{1,40})?",
        "-?[0-9]\\.[0-9]{1,25}[eE][+-]?[0-9]{1,3}",
        Just("-0.0".to_owned()),
        Just("123456789012345678901234567890.000000000000000000010".to_owned()),
    ];
    let text = prop_oneof!["[^\\x00]{0,20}", "[\"\\\\/\\n\\r\\t\\x01-\\x1f\\u{7f}\\u{2028}😀é]{0,8}"]
        .prop_map(|text| serde_json::to_string(&text).unwrap());
    let escaped =
        prop_oneof![Just(r#""\ud83d\ude00\u00e9\/\b\f""#.to_owned()), Just(r#""\u001f\u0001\"\\""#.to_owned())];
    let leaf =
        prop_oneof![Just("null".to_owned()), Just("true".to_owned()), Just("false".to_owned()), number, text, escaped];
    leaf.prop_recursive(6, 48, 6, |inner| {
        let key = "[^\\x00]{0,6}".prop_map(|key| serde_json::to_string(&key).unwrap());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|values| format!("[ {} ]", values.join(" ,\n"))),
            prop::collection::vec((key, inner), 0..6).prop_map(|members| {
                let members: Vec<_> = members.into_iter().map(|(key, value)| format!("{key} : {value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn any_json_arrives_as_it_was_sent() {
    let bench = Bench::new("mat_json").await;
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let mut payloads: Vec<String> =
        (0..500).map(|_| format!("{{\"body\":{}}}", json().new_tree(&mut runner).unwrap().current())).collect();
    payloads.push(format!("{{\"deep\":{}1{}}}", "[".repeat(500), "]".repeat(500)));
    let records: Vec<_> = (1..)
        .zip(&payloads)
        .map(|(seq, payload)| event(seq, "annotation.added", &format!("ann:{seq}"), payload))
        .collect();
    bench.produce(&records);
    bench.settle().await;
    assert_eq!(bench.psql("SELECT error, convert_from(record_value, 'UTF8') FROM lifestream.parked LIMIT 1"), "");
    let client = bench.database().connect().await;
    let rows = client
        .query(
            "SELECT s.seq, s.sent FROM unnest($1::text[]) WITH ORDINALITY AS s (sent, seq)
             LEFT JOIN lifestream.annotations a ON a.seq = s.seq
             WHERE a.payload::text IS DISTINCT FROM s.sent::jsonb::text",
            &[&payloads],
        )
        .await
        .unwrap();
    let changed: Vec<(i64, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert!(changed.is_empty(), "{changed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_keeps_every_digit() {
    let bench = Bench::new("mat_number").await;
    let exact = "12345678901234567890.000000000000000000100";
    bench.produce(&[event(1, "temp.reading_recorded", "temp:lab", &format!("{{\"kelvin\":{exact}}}"))]);
    bench.settle().await;
    assert_eq!(bench.psql("SELECT value, unit FROM lifestream.temperature_latest"), format!("{exact}|kelvin"));
}
