#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use rdkafka::message::Headers;

use super::*;
use crate::event::Event;

fn row<'a>() -> EventRow<'a> {
    EventRow {
        id: Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_099a_8057),
        seq: 7,
        occurred_at_us: 1_000_001,
        received_at_us: 2_000_000,
        source: "my shop",
        subject: "link",
        subject_id: "link:1",
        event_type: "link.added",
        payload: r#"{"n": 12345678901234567890.123456789012345678901234567890}"#,
        schema_version: 1,
        correlation_id: None,
        causation_id: None,
        tenant_id: "",
        headers: "{}",
    }
}

fn header_list(row: &EventRow<'_>) -> Vec<(String, String)> {
    let headers = row.kafka_headers();
    headers.iter().map(|h| (h.key.to_owned(), String::from_utf8(h.value.unwrap().to_vec()).unwrap())).collect()
}

#[test]
fn the_value_has_every_column_in_order_with_nulls_and_exact_numbers() {
    let mut value = Vec::new();
    row().write_value(&mut value);
    assert_eq!(
        String::from_utf8(value).unwrap(),
        concat!(
            r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","seq":7,"occurred_at":"1970-01-01T00:00:01.000001Z","#,
            r#""received_at":"1970-01-01T00:00:02.000000Z","source":"my shop","subject":"link","subject_id":"link:1","#,
            r#""event_type":"link.added","payload":{"n": 12345678901234567890.123456789012345678901234567890},"#,
            r#""schema_version":1,"correlation_id":null,"causation_id":null,"tenant_id":"","headers":{}}"#
        )
    );
}

#[test]
fn the_headers_are_ours_then_the_events_own_then_cloudevents() {
    let mut row = row();
    row.correlation_id = Some(Uuid::nil());
    row.headers = r#"{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a\u00e9\"b": "x\ny"}"#;
    let expected = [
        ("event_type", "link.added"),
        ("source", "my shop"),
        ("event_id", "01890a5d-ac96-774b-bcce-b302099a8057"),
        ("correlation_id", "00000000-0000-0000-0000-000000000000"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("aé\"b", "x\ny"),
        ("ce_specversion", "1.0"),
        ("ce_id", "01890a5d-ac96-774b-bcce-b302099a8057"),
        ("ce_type", "link.added"),
        ("ce_source", "my%20shop"),
        ("ce_time", "1970-01-01T00:00:01.000001Z"),
        ("ce_subject", "link:1"),
        ("content-type", "application/json"),
    ];
    let list = header_list(&row);
    let list: Vec<(&str, &str)> = list.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(list, expected);
}

#[test]
fn headers_that_are_no_object_of_strings_stop_nothing() {
    for (headers, own) in [("[1]", None), ("{\"a\": 1}", Some("1")), ("{\"a\"", None)] {
        let mut row = row();
        row.headers = headers;
        let found = header_list(&row).into_iter().find(|(key, _)| key == "a").map(|(_, value)| value);
        assert_eq!(found.as_deref(), own, "{headers}");
    }
}

#[test]
fn integers_of_every_length() {
    for number in [0, 1, -1, 9, 10, i64::MAX, i64::MIN] {
        let mut out = Vec::new();
        push_integer(&mut out, number);
        assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
    }
}

proptest! {
    #[test]
    fn any_text_survives_the_way(texts in proptest::array::uniform5(".*"), seq: i64, version: i32, key in "[^\0]*", header in ".*",
        payload in proptest::collection::btree_map(".*", ".*", 0..4), control in "[\u{0}-\u{1f}\"\\\\]*") {
        let payload = serde_json::to_string(&payload).unwrap();
        let headers = serde_json::to_string(&serde_json::json!({ format!("x{key}"): header })).unwrap();
        let mut row = row();
        let source = format!("{}{control}", texts[0]);
        row.source = &source;
        row.subject = &texts[1];
        row.subject_id = &texts[2];
        row.event_type = &texts[3];
        row.tenant_id = &texts[4];
        row.seq = seq;
        row.schema_version = version;
        row.payload = &payload;
        row.headers = &headers;
        row.causation_id = Some(Uuid::max());
        let mut value = Vec::new();
        row.write_value(&mut value);
        let event = Event::parse(&value).unwrap();
        prop_assert_eq!(&event.source, &source);
        prop_assert_eq!([&event.subject, &event.subject_id, &event.event_type, &event.tenant_id], [&texts[1], &texts[2], &texts[3], &texts[4]]);
        prop_assert_eq!((event.id, event.seq, event.schema_version), (row.id, seq, version));
        prop_assert_eq!((event.correlation_id, event.causation_id), (None, Some(Uuid::max())));
        prop_assert_eq!(event.payload.get(), payload.as_str());
        prop_assert_eq!(event.occurred_at.as_microsecond(), row.occurred_at_us);
        prop_assert_eq!(event.received_at.as_microsecond(), row.received_at_us);
        prop_assert_eq!(event.headers.get(&format!("x{key}")), Some(&header));
        let listed = header_list(&row);
        let expected_key = format!("x{key}");
        prop_assert!(listed.iter().any(|(k, v)| *k == expected_key && *v == header));
    }
}
