//! What cannot be applied is set aside, with what follows in its subject and nothing else.

use lifestream_agents::materializer::Options;
use rdkafka::message::{Header, OwnedHeaders};

use crate::bench::{Bench, Made, event, id, link};

fn header(name: &str, value: &str) -> OwnedHeaders {
    OwnedHeaders::new().insert(Header { key: name, value: Some(value) })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_no_event_parks_with_its_offset_and_stops_nobody() {
    let bench = Bench::new("mat_malformed").await;
    let whole = || link(1, "link:whole");
    let raw = |value: &[u8]| Some(value.to_vec());
    let mut marker = link(90, "link:marker");
    (marker.key, marker.value) = (None, raw(b"{\"epoch\":1}"));
    marker.headers = header("lifestream_marker", "1");
    let foreign = || Made { key: None, value: raw(b"hello"), headers: OwnedHeaders::new() };
    let records = [
        foreign(),
        foreign(),
        Made { key: None, value: None, headers: OwnedHeaders::new() },
        Made { value: None, ..link(2, "link:null") },
        Made { value: raw(b"{\"id\":"), ..link(3, "link:broken") },
        Made { value: raw(b"[1,2]"), ..link(4, "link:array") },
        Made { value: raw(b"\xff\xfe\x00"), ..link(5, "link:bytes") },
        Made { headers: OwnedHeaders::new(), ..link(6, "link:headless") },
        Made {
            headers: header("event_id", "not-a-uuid").insert(Header { key: "event_type", value: Some("x") }),
            ..link(7, "link:id")
        },
        Made { key: raw(b"other"), ..link(8, "link:key") },
        Made {
            headers: header("a", "b")
                .insert(Header { key: "c", value: None::<&str> })
                .insert(Header { key: "d", value: Some(&b"\xff\0"[..]) }),
            ..foreign()
        },
        marker,
        // Valid JSON that jsonb has no place for: only PostgreSQL notices.
        event(9, "note.created", "note:fine", "{}"),
        event(10, "annotation.added", "ann:zero", r#"{"text":"a\u0000b"}"#),
        event(11, "annotation.added", "ann:huge", r#"{"n":1e200000}"#),
        whole(),
    ];
    let produced = i64::try_from(records.len()).unwrap();
    bench.produce(&records);
    bench.settle().await;
    assert_eq!(bench.psql("SELECT subject_id FROM lifestream.links"), "link:whole");
    assert_eq!(bench.psql("SELECT sum(\"offset\") FROM lifestream.kafka_offsets"), produced.to_string());
    let parked = "SELECT count(*), count(topic), count(partition), count(\"offset\"), count(error), count(behind) FROM lifestream.parked";
    assert_eq!(bench.psql(parked), "13|13|13|13|13|0");
    let subjects = "SELECT string_agg(subject_id, ' ' ORDER BY subject_id COLLATE \"C\") FROM lifestream.parked";
    assert_eq!(bench.psql(subjects), "ann:huge ann:zero link:array link:broken link:bytes link:null other");
    let error =
        |subject: &str| bench.psql(&format!("SELECT error FROM lifestream.parked WHERE subject_id = '{subject}'"));
    assert!(error("link:null").contains("null"), "{}", error("link:null"));
    assert!(error("link:bytes").contains("UTF-8"), "{}", error("link:bytes"));
    assert!(error("ann:zero").contains("22P05"), "{}", error("ann:zero"));
    assert!(error("ann:huge").contains("22003"), "{}", error("ann:huge"));
    let headers = "SELECT record_headers FROM lifestream.parked WHERE jsonb_array_length(record_headers) = 3";
    assert_eq!(bench.psql(headers), r#"[["a", "b"], ["c", null], ["d", {"base64": "/wA="}]]"#);
    // The bytes are kept as they came.
    assert_eq!(bench.psql("SELECT record_value FROM lifestream.parked WHERE subject_id = 'link:bytes'"), "\\xfffe00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_holds_back_its_own_subject_only() {
    let bench = Bench::new("mat_poison").await;
    let mut records = Vec::new();
    for seq in 1..=600 {
        records.push(match seq {
            100 => event(seq, "link.added", "link:7", r#"{"url":17}"#),
            300 => event(seq, "todo.created", "todo:bad", r#"{"title":null}"#),
            500 => event(seq, "link.added", "link:9", "{}"),
            _ => link(seq, &format!("link:{}", seq % 50)),
        });
    }
    bench.produce(&records);
    bench.settle_as(Options { batch_records: 170, ..Options::default() }).await;
    let heads =
        "SELECT string_agg(subject_id || ' ' || seq, ', ' ORDER BY seq) FROM lifestream.parked WHERE behind IS NULL";
    assert_eq!(bench.psql(heads), "link:7 100, todo:bad 300, link:9 500");
    // seq 107, 157, … behind 100; 509, 559 behind 500. In order, each behind the first.
    let waiting = "SELECT string_agg(p.seq::text, ',' ORDER BY p.id) FROM lifestream.parked p JOIN lifestream.parked h ON h.id = p.behind WHERE h.seq = ";
    assert_eq!(bench.psql(&format!("{waiting} 100")), "107,157,207,257,307,357,407,457,507,557");
    assert_eq!(bench.psql(&format!("{waiting} 500")), "509,559");
    assert_eq!(bench.psql("SELECT added_seq FROM lifestream.links WHERE subject_id = 'link:7'"), "57");
    assert_eq!(bench.psql("SELECT added_seq FROM lifestream.links WHERE subject_id = 'link:8'"), "558");
    assert_eq!(bench.count("lifestream.event_ingest_dedupe"), 600 - 3 - 12);
    let error = bench.psql("SELECT error FROM lifestream.parked WHERE seq = 100");
    assert!(error.contains("17") && error.contains(&id(100).to_string()) && error.contains("22023"), "{error}");
    assert!(
        bench.psql("SELECT last_error FROM lifestream.pipeline_status WHERE stage = 'materializer'").contains("url")
    );
    assert_eq!(
        bench.psql("SELECT parked, backlog IS NULL FROM lifestream.pipeline_status WHERE stage = 'materializer'"),
        "15|t"
    );

    // A new member knows who waits; repeats of parked and of applied events add nothing.
    bench.produce(&[link(607, "link:7"), link(608, "link:8")]);
    bench.produce(&[event(100, "link.added", "link:7", r#"{"url":17}"#), link(57, "link:7"), link(107, "link:7")]);
    bench.settle().await;
    assert_eq!(bench.psql(&format!("{waiting} 100")), "107,157,207,257,307,357,407,457,507,557,607");
    assert_eq!(bench.psql("SELECT added_seq FROM lifestream.links WHERE subject_id = 'link:8'"), "608");
    assert_eq!(bench.count("lifestream.parked"), 16);

    // An operator's release is seen: the first row and what waits behind it go, and the subject goes on.
    bench.psql("DELETE FROM lifestream.parked WHERE behind = (SELECT id FROM lifestream.parked WHERE seq = 100); DELETE FROM lifestream.parked WHERE seq = 100");
    bench.produce(&[link(707, "link:7")]);
    bench.settle().await;
    assert_eq!(bench.psql("SELECT added_seq FROM lifestream.links WHERE subject_id = 'link:7'"), "707");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_never_overtaken_by_a_running_member() {
    let bench = Bench::new("mat_release").await;
    let member = bench.start();
    bench.produce(&[event(1, "link.added", "link:a", "{}"), link(2, "link:a")]);
    let soon = crate::bench::SOON;
    lifestream_tests::eventually(soon, "both are parked", || bench.count("lifestream.parked") == 2);
    // Released behind the member's back: it still believes the subject to be held, and meets the foreign key.
    bench.psql("DELETE FROM lifestream.parked WHERE behind IS NOT NULL; DELETE FROM lifestream.parked");
    bench.produce(&[link(3, "link:a")]);
    lifestream_tests::eventually(soon, "the next is applied", || bench.count("lifestream.links") == 1);
    member.stop().await;
    assert_eq!(bench.count("lifestream.parked"), 0);
}

fn of_tenant(tenant: &str, mut made: Made) -> Made {
    let text = String::from_utf8(made.value.unwrap()).unwrap();
    made.value = Some(text.replace("\"tenant_id\":\"\"", &format!("\"tenant_id\":\"{tenant}\"")).into_bytes());
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_event_parks_and_holds_up_nobody_else() {
    let bench = Bench::new("mat_tenant").await;
    let content = r#"{"text_content":"text","fetch_error":null}"#;
    bench.produce(&[
        of_tenant("a", event(1, "link.added", "link:shared", r#"{"url":"https://example.org/"}"#)),
        of_tenant("a", event(2, "temp.reading_recorded", "kitchen", r#"{"value":20}"#)),
        // Refused for its tenant; for its payload, before anybody looks at the tenant; of a subject that nobody claims.
        of_tenant("b", event(3, "content.fetched", "link:shared", content)),
        of_tenant("b", event(4, "temp.reading_recorded", "kitchen", r#"{"value":"warm"}"#)),
        of_tenant("b", event(5, "note.created", "link:shared", "{}")),
        of_tenant("a", event(6, "content.fetched", "link:shared", content)),
        of_tenant("a", event(7, "temp.reading_recorded", "kitchen", r#"{"value":21}"#)),
    ]);
    bench.settle().await;
    assert_eq!(bench.psql("SELECT tenant_id, status FROM lifestream.links"), "a|fetched");
    assert_eq!(bench.psql("SELECT tenant_id, text_seq FROM lifestream.link_content"), "a|6");
    assert_eq!(bench.psql("SELECT tenant_id, value FROM lifestream.temperature_latest"), "a|21");
    let parked = "SELECT string_agg(seq || tenant_id || CASE WHEN behind IS NULL THEN '' ELSE '+' END, ' ' ORDER BY seq) FROM lifestream.parked";
    assert_eq!(bench.psql(parked), "3b 4b 5b+", "the other tenant's own order is kept");
    let error = bench.psql("SELECT error FROM lifestream.parked WHERE seq = 3");
    assert!(error.contains("belongs to tenant \"a\""), "{error}");

    // A new member knows who waits, and who does not.
    bench.produce(&[
        of_tenant("a", event(8, "temp.reading_recorded", "kitchen", r#"{"value":22}"#)),
        of_tenant("b", event(9, "note.created", "link:shared", "{}")),
    ]);
    bench.settle().await;
    assert_eq!(bench.psql("SELECT value FROM lifestream.temperature_latest"), "22");
    assert_eq!(bench.psql(parked), "3b 4b 5b+ 9b+");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_that_never_ends_parks_its_event_and_the_others_go_on() {
    let bench = Bench::new("mat_endless").await;
    // The limit that an administrator sets counts; without one the member brings its own.
    bench.psql(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 300', current_database()); END $$",
    );
    bench.psql(
        "CREATE FUNCTION public.endless(e lifestream.events) RETURNS void LANGUAGE plpgsql AS \
             $$ BEGIN WHILE e.subject_id = 'loop' LOOP NULL; END LOOP; END $$; \
         SELECT lifestream.add_projection('test.endless', 'public.endless')",
    );
    bench.produce(&[
        link(1, "link:a"),
        event(2, "test.endless", "fine", "{}"),
        event(3, "test.endless", "loop", "{}"),
        event(4, "test.endless", "fine", "{}"),
        link(5, "link:b"),
    ]);
    bench.settle().await;
    assert_eq!(bench.psql("SELECT string_agg(seq::text, ' ') FROM lifestream.parked"), "3");
    assert_eq!(bench.count("lifestream.event_ingest_dedupe"), 4);
    assert_eq!(bench.count("lifestream.links"), 2);
}

/// Whose it is cannot be read: it may come between two events of the tenant that is not held back yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_holds_back_every_tenant_of_its_subject_also_behind_another() {
    let bench = Bench::new("mat_anybodys").await;
    let of = |seq: i64, tenant: &str, payload: &str| {
        let mut made = event(seq, "annotation.added", "note:shared", payload);
        let value = String::from_utf8(made.value.unwrap()).unwrap();
        made.value = Some(value.replace(r#""tenant_id":"""#, &format!(r#""tenant_id":"{tenant}""#)).into_bytes());
        made
    };
    let broken = |seq: i64| Made { value: Some(b"{".to_vec()), ..of(seq, "", "{}") };
    let poison = r#"{"text":"a\u0000b"}"#;
    let behind = "SELECT string_agg(concat_ws('/', p.seq, p.tenant_id, h.seq), ' ' ORDER BY p.id) FROM lifestream.parked p LEFT JOIN lifestream.parked h ON h.id = p.behind";
    bench.produce(&[
        of(1, "other", poison),
        of(2, "owner", r#"{"text":"before"}"#),
        broken(3),
        of(4, "owner", r#"{"text":"after"}"#),
    ]);
    bench.settle().await;
    assert_eq!(bench.psql(behind), "1/other 1 4/owner/1");
    // Also for a member that comes later, and across batches.
    bench.produce(&[of(5, "owner", r#"{"text":"later"}"#)]);
    bench.settle_as(Options { batch_records: 1, ..Options::default() }).await;
    assert_eq!(bench.psql(behind), "1/other 1 4/owner/1 5/owner/1");
    assert_eq!(bench.count("lifestream.annotations"), 1);
}
