//! How fast a backlog is routed: told, not judged.

use std::time::Instant;

use lifestream_envelope::event::EventRow;
use lifestream_tests::eventually;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use uuid::Uuid;

use crate::bench::{Bench, SOON};

const EVENTS: u32 = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_routed_at_a_rate_that_is_told() {
    let bench = Bench::new("router_speed").await;
    let producer: BaseProducer = bench.client.producer_config().create().unwrap();
    let topic = bench.client.topic("events.raw");
    for number in 0..EVENTS {
        // Every second one has a guarded route.
        let (event_type, subject_id) = match number % 2 {
            0 => ("link.added", format!("link:{number}")),
            _ => ("temp.reading_recorded", "temp:kitchen".to_owned()),
        };
        let id = Uuid::from_u128(0x0189_0a5d_ac96_774b_8000_0000_0000_0000 | u128::from(number));
        let row = EventRow {
            id,
            seq: i64::from(number) + 1,
            occurred_at_us: 1_700_000_000_000_000,
            received_at_us: 1_700_000_000_000_000,
            source: "tests",
            subject: "link",
            subject_id: &subject_id,
            event_type,
            payload: r#"{"url":"https://example.org/some/article/with/a/path","title":"A title of usual length","celsius":21.5}"#,
            schema_version: 1,
            correlation_id: Some(id),
            causation_id: None,
            tenant_id: "",
            headers: "{}",
        };
        let mut value = Vec::new();
        row.write_value(&mut value);
        let mut record = BaseRecord::to(&topic).key(subject_id.as_bytes()).payload(&value).headers(row.kafka_headers());
        while let Err((_, unsent)) = producer.send(record) {
            producer.poll(std::time::Duration::from_millis(10));
            record = unsent;
        }
    }
    producer.flush(SOON).unwrap();
    let committed = "SELECT coalesce(sum(committed), 0) FROM lifestream.consumer_progress WHERE stage = 'router'";
    let started = Instant::now();
    bench.route().await;
    let took = started.elapsed();
    eventually(SOON, "its progress is told", || bench.psql(committed) == EVENTS.to_string());
    let routed: u32 = bench.records("fetch_link").len().try_into().unwrap();
    assert_eq!(routed, EVENTS / 2);
    println!(
        "router: {EVENTS} events, half of them guarded, in {took:.1?} with joining and leaving: {:.0} events/s ({} build)",
        f64::from(EVENTS) / took.as_secs_f64(),
        if cfg!(debug_assertions) { "debug" } else { "release" }
    );
}
