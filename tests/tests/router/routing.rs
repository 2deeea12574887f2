//! Events become work by the routes: rows of a table, with guards and maps.

use lifestream_envelope::ids;
use lifestream_tests::eventually;
use serde_json::json;

use crate::bench::{Bench, SOON, all, link};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_becomes_work_where_its_guard_says_so_with_the_payload_that_its_map_gives() {
    let bench = Bench::new("router_guards").await;
    bench.psql(
        "CREATE FUNCTION public.wanted(e lifestream.events) RETURNS boolean LANGUAGE sql AS
            $$ SELECT CASE e.payload ->> 'wanted' WHEN 'yes' THEN true WHEN 'no' THEN false END $$;
         CREATE FUNCTION public.\"Short form\"(e lifestream.events) RETURNS jsonb LANGUAGE sql AS
            $$ SELECT jsonb_build_object('of', e.subject_id, 'size', e.payload -> 'size') $$;
         SELECT lifestream.add_route('doc.added', 'index_doc', 'public.wanted', 'public.\"Short form\"', 5);
         SELECT lifestream.add_route('doc.added', 'copy_doc')",
    );
    let mut expected = Vec::new();
    for (number, wanted) in ["yes", "no", "unknown", "yes"].into_iter().enumerate() {
        let id = bench.emit("doc.added", &format!("doc:{number}"), &json!({ "wanted": wanted, "size": 7 }));
        expected.push((id, wanted));
    }
    bench.psql(
        "SELECT lifestream.emit_event('doc.added', 'doc', 'doc:9', '{\"wanted\":\"yes\",\"size\":1.10}', tenant_id => 'a',
            headers => '{\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"}')",
    );
    bench.emit("link.added", "link:a", &link(1));
    bench.emit("note.created", "note:a", &json!({}));
    bench.publish().await;
    bench.route().await;

    let indexed = bench.work("index_doc");
    // A guard that knows nothing (NULL) does not stand in the way.
    assert_eq!(all(&indexed, "subject_id"), ["doc:0", "doc:2", "doc:3", "doc:9"]);
    let first = indexed.iter().find(|work| work["subject_id"] == "doc:0").unwrap();
    let (id, _) = expected[0];
    assert_eq!(first["id"], json!(ids::work_id(id, "index_doc", 1)));
    assert_eq!((&first["attempt"], &first["max_attempts"]), (&json!(1), &json!(5)));
    assert_eq!(first["payload"], json!({ "of": "doc:0", "size": 7 }));
    assert_eq!((&first["triggered_by_event_id"], &first["correlation_id"]), (&json!(id), &json!(id)));
    assert_eq!((&first["not_before"], &first["last_error"]), (&json!(null), &json!(null)));

    // Without guard and map: all of them, with the events' own payload, every digit of it.
    let copied = bench.records("copy_doc");
    assert_eq!(copied.len(), 5);
    let of_tenant = copied.iter().find(|record| record.key() == "doc:9").unwrap();
    let value = String::from_utf8(of_tenant.value.clone().unwrap()).unwrap();
    assert!(value.contains(r#""size": 1.10"#) || value.contains(r#""size":1.10"#), "{value}");
    assert_eq!((&of_tenant.json()["tenant_id"], &of_tenant.json()["subject"]), (&json!("a"), &json!("doc")));
    assert_eq!(of_tenant.header("work_type"), Some("copy_doc"));
    assert_eq!(of_tenant.header("work_id"), of_tenant.json()["id"].as_str());
    assert_eq!(of_tenant.header("attempt"), Some("1"));
    assert_eq!(of_tenant.header("correlation_id"), of_tenant.json()["correlation_id"].as_str());
    assert_eq!(of_tenant.header("traceparent"), Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));

    assert_eq!(all(&bench.work("fetch_link"), "subject_id"), ["link:a"]);
    // Nothing again: offsets are committed.
    bench.route().await;
    assert_eq!((bench.work("index_doc").len(), bench.work("fetch_link").len()), (4, 1));
    // Another group routes all of it anew, as the same work.
    bench.route_as("router-v2").await;
    let mut again = bench.work("index_doc");
    assert_eq!(again.len(), 8);
    again.sort_by_key(|work| work["id"].to_string());
    again.dedup_by_key(|work| work["id"].to_string());
    assert_eq!(again.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_added_by_one_statement_is_taken_up_by_the_running_router_with_its_topic() {
    let bench = Bench::new("router_add_route").await;
    let router = bench.start();
    bench.emit("doc.added", "doc:before", &json!({}));
    bench.emit("link.added", "link:a", &link(1));
    bench.publish().await;
    eventually(SOON, "the first events are routed", || bench.work("fetch_link").len() == 1);

    bench.psql("SELECT lifestream.add_route('doc.added', 'index.doc-1')");
    let topic = bench.client.topic("work.index.doc-1");
    lifestream_tests::eventually_async(SOON, "its topic is made", || async {
        bench.client.describe_topic(&topic).await.unwrap().is_some_and(|topic| topic.partitions == 3)
    })
    .await;
    assert_eq!(bench.client.topic_config(&topic).await.unwrap()["retention.ms"], "604800000");
    // Nothing is said about when: what is emitted once add_route has returned is routed, however soon.
    bench.psql("SELECT lifestream.add_route('doc.added', 'copy_doc')");
    bench.emit("doc.added", "doc:after", &json!({}));
    bench.publish().await;
    eventually(SOON, "both routes make work", || {
        bench.work("index.doc-1").len() == 1 && bench.work("copy_doc").len() == 1
    });
    assert_eq!(all(&bench.work("copy_doc"), "subject_id"), ["doc:after"]);

    bench.psql("SELECT lifestream.drop_route('doc.added', 'copy_doc')");
    bench.emit("doc.added", "doc:last", &json!({}));
    bench.publish().await;
    eventually(SOON, "the other route goes on", || bench.work("index.doc-1").len() == 2);
    assert_eq!(bench.work("copy_doc").len(), 1);
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_or_map_that_raises_makes_its_own_work_a_dead_letter_and_stops_nothing_else() {
    let bench = Bench::new("router_raises").await;
    bench.psql(
        "CREATE FUNCTION public.picky(e lifestream.events) RETURNS boolean LANGUAGE plpgsql AS
            $$ BEGIN IF e.payload ->> 'n' LIKE '%7' THEN RAISE 'no sevens: %', e.payload ->> 'n'; END IF; RETURN true; END $$;
         CREATE FUNCTION public.halved(e lifestream.events) RETURNS jsonb LANGUAGE sql AS
            $$ SELECT CASE WHEN (e.payload ->> 'n')::int % 50 = 1 THEN '[1]' ELSE jsonb_build_object('half', 100 / ((e.payload ->> 'n')::int % 100)) END $$;
         CREATE FUNCTION public.going(e lifestream.events) RETURNS boolean LANGUAGE sql AS 'SELECT true';
         SELECT lifestream.add_route('doc.added', 'guarded', 'public.picky');
         SELECT lifestream.add_route('doc.added', 'mapped', NULL, 'public.halved');
         SELECT lifestream.add_route('doc.added', 'gone', 'public.going');
         SELECT lifestream.add_route('doc.added', 'plain');
         DROP FUNCTION public.going",
    );
    bench.psql(
        "SELECT count(lifestream.emit_event('doc.added', 'doc', 'doc:' || n, jsonb_build_object('n', n))) FROM generate_series(1, 300) n",
    );
    bench.publish().await;
    bench.route().await;
    let lengths = ["plain", "guarded", "mapped", "gone"].map(|work_type| bench.work(work_type).len());
    // 30 numbers end in 7; 3 are divisible by 100, 6 leave 1.
    assert_eq!(lengths, [300, 270, 291, 0]);
    let given_up =
        "SELECT payload -> 'work_message' ->> 'work_type', count(*), min(payload ->> 'error'), min(payload ->> 'agent')
                    FROM lifestream.events WHERE event_type = 'work.dead_lettered' GROUP BY 1 ORDER BY 1";
    let lines: Vec<_> = bench.psql(given_up).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("gone|300|guard public.going does not exist"), "{}", lines[0]);
    assert!(lines[1].starts_with("guarded|30|no sevens: 107"), "{}", lines[1]);
    assert!(lines[2].starts_with("mapped|9|division by zero"), "{}", lines[2]);
    assert!(lines.iter().all(|line| line.ends_with("|router")), "{lines:?}");
    assert!(bench.psql("SELECT max(payload ->> 'error') FROM lifestream.events WHERE payload ->> 'error' LIKE 'the payload map gave%'").contains("gave [1]"));

    // Mended, it is done after all: the guard is asked again, and the map.
    bench.publish().await;
    bench.materialize().await;
    bench.psql(
        "CREATE OR REPLACE FUNCTION public.halved(e lifestream.events) RETURNS jsonb LANGUAGE sql AS
            $$ SELECT jsonb_build_object('mended', true) $$;
         SELECT lifestream.retry_dead_letter(id) FROM lifestream.dead_letters WHERE work_type = 'mapped' ORDER BY subject_id LIMIT 1;
         SELECT lifestream.retry_dead_letter(id) FROM lifestream.dead_letters WHERE work_type = 'guarded' ORDER BY subject_id LIMIT 1",
    );
    bench.publish().await;
    bench.route().await;
    let mapped = bench.work("mapped");
    let again: Vec<_> = mapped.iter().filter(|work| work["attempt"] == 2).collect();
    assert_eq!(again.len(), 1);
    assert_eq!((&again[0]["payload"], &again[0]["max_attempts"]), (&json!({ "mended": true }), &json!(6)));
    // The guard raises still: given up again, by its own id.
    assert_eq!(bench.work("guarded").len(), 270);
    assert_eq!(
        bench.psql("SELECT count(*) FROM lifestream.events WHERE event_type = 'work.dead_lettered' AND (payload -> 'work_message' -> 'attempt')::int = 2"),
        "1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_is_too_large_for_an_event_or_for_kafka_is_a_dead_letter_without_its_payload() {
    let bench = Bench::new("router_large").await;
    bench.psql(
        "CREATE FUNCTION public.raises(e lifestream.events) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
         CREATE FUNCTION public.doubled(e lifestream.events) RETURNS jsonb LANGUAGE sql AS
            $$ SELECT jsonb_build_object('a', e.payload, 'b', e.payload) $$;
         SELECT lifestream.add_route('doc.added', 'raising', 'public.raises');
         SELECT lifestream.add_route('doc.added', 'doubled', NULL, 'public.doubled');
         SELECT lifestream.emit_event('doc.added', 'doc', 'doc:large', jsonb_build_object('text',
            (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 28791) n)))",
    );
    bench.publish().await;
    bench.route().await;
    let letters = bench.psql(
        "SELECT payload -> 'work_message' ->> 'work_type', payload ->> 'error', left(payload -> 'work_message' ->> 'payload', 80)
         FROM lifestream.events WHERE event_type = 'work.dead_lettered' ORDER BY 1",
    );
    let lines: Vec<_> = letters.lines().collect();
    assert_eq!(lines.len(), 2, "{letters}");
    assert!(lines[0].starts_with("doubled|Kafka refuses it: "), "{}", lines[0]);
    assert!(lines[1].starts_with("raising|no (P0001)"), "{}", lines[1]);
    assert!(lines.iter().all(|line| line.ends_with("|{\"lifestream_payload_omitted\": true}")), "{letters}");

    // What was left out is put in again.
    bench.psql(
        "CREATE OR REPLACE FUNCTION public.raises(e lifestream.events) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    );
    bench.publish().await;
    bench.materialize().await;
    bench.psql("SELECT lifestream.retry_dead_letter(id) FROM lifestream.dead_letters WHERE work_type = 'raising'");
    bench.publish().await;
    bench.route().await;
    let work = bench.work("raising");
    assert_eq!(work.len(), 1);
    assert_eq!(
        (work[0]["payload"]["text"].as_str().map(str::len), &work[0]["attempt"]),
        (Some(28_791 * 32), &json!(2))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_no_event_is_passed_over() {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
    let bench = Bench::new("router_foreign").await;
    let producer: BaseProducer = bench.client.producer_config().create().unwrap();
    let topic = bench.client.topic("events.raw");
    for (value, event_type) in
        [("{", Some("link.added")), ("[]", Some("work.failed")), ("{}", Some("link.added")), ("{}", None)]
    {
        let mut headers = rdkafka::message::OwnedHeaders::new();
        if let Some(event_type) = event_type {
            headers = headers.insert(rdkafka::message::Header { key: "event_type", value: Some(event_type) });
        }
        producer.send(BaseRecord::to(&topic).key("x").payload(value).headers(headers)).map_err(|(e, _)| e).unwrap();
    }
    producer.flush(SOON).unwrap();
    // Facts of our own that hold no work: nothing comes of them either.
    bench.emit("work.failed", "s", &json!({ "error": "x" }));
    bench.emit("work.retry_requested", "s", &json!({ "work_message": { "work_type": "../../etc" } }));
    bench.emit("link.added", "link:a", &link(1));
    bench.publish().await;
    bench.route().await;
    assert_eq!(all(&bench.work("fetch_link"), "subject_id"), ["link:a"]);
    assert_eq!(bench.count("lifestream.pending_retries"), 0);
}
