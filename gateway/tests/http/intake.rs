//! What is recorded.

use lifestream_tests::Postgres;
use serde_json::json;

use crate::bench::{Gateway, HOME, PHONE};

#[test]
fn an_event_is_recorded_with_all_that_it_says() {
    let gateway = Gateway::start("gw_event");
    let whole = r#"{"event_type":"note.created","subject":"note","subject_id":"n-1","payload":{"n":1.10,"big":12345678901234567890.5,"t":"\u00fc"},
        "source":"mine","occurred_at":"2026-01-31T12:00:00Z","id":"01890a5d-ac96-774b-bcce-b302099a8057",
        "correlation_id":"01890a5d-ac96-774b-bcce-b302099a8058","causation_id":"01890a5d-ac96-774b-bcce-b302099a8059",
        "tenant_id":"house","schema_version":2,"headers":{"a":"b"},"expected_version":0}"#;
    assert_eq!(gateway.post("/events", whole).id(), "01890a5d-ac96-774b-bcce-b302099a8057");
    let row = gateway.database.psql(
        "SELECT event_type, subject, subject_id, payload, source, occurred_at AT TIME ZONE 'UTC', id, correlation_id, causation_id, tenant_id, schema_version, headers FROM lifestream.events",
    );
    assert_eq!(
        row,
        r#"note.created|note|n-1|{"n": 1.10, "t": "ü", "big": 12345678901234567890.5}|mine|2026-01-31 12:00:00|01890a5d-ac96-774b-bcce-b302099a8057|01890a5d-ac96-774b-bcce-b302099a8058|01890a5d-ac96-774b-bcce-b302099a8059|house|2|{"a": "b"}"#
    );

    // The least: the rest is the token's, or the database's.
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let least = r#"{"event_type":"note.created","subject":"note","subject_id":"n-2","payload":{}}"#;
    let id = gateway.post_as(PHONE, "/events", &[("traceparent", trace)], least).id();
    let row = gateway.database.psql(&format!(
        "SELECT source, tenant_id, headers ->> 'traceparent', correlation_id = id, published_to_kafka FROM lifestream.events WHERE id = '{id}'"
    ));
    assert_eq!(row, format!("gateway/phone||{trace}|t|f"));
    // A broken trace context is no reason to refuse.
    assert_eq!(gateway.post_as(PHONE, "/events", &[("traceparent", "00-x")], least).status, 201);
}

#[test]
fn an_array_is_recorded_in_order_and_whole_or_not_at_all() {
    let gateway = Gateway::start("gw_array");
    let event = |id: usize| json!({"event_type": "t", "subject": "s", "subject_id": format!("s-{id}"), "payload": {}});
    let answer = gateway.post("/events", &json!([event(3), event(1), event(2)]).to_string());
    assert_eq!(answer.status, 201, "{}", answer.text());
    let ids: Vec<String> = serde_json::from_value(answer.json()["ids"].clone()).unwrap();
    let stored = gateway.database.psql("SELECT id FROM lifestream.events ORDER BY seq");
    assert_eq!(ids.join("\n"), stored);
    assert_eq!(
        gateway.database.psql("SELECT string_agg(subject_id, ',' ORDER BY seq) FROM lifestream.events"),
        "s-3,s-1,s-2"
    );

    let bad = json!([event(4), {"event_type": "t", "subject": "s", "subject_id": "", "payload": {}}, event(5)]);
    let refused = gateway.post("/events", &bad.to_string());
    refused.is_problem(422, &["subject_id must not be empty", "\"22023\"", "\"#/1\""]);
    assert_eq!(gateway.events(), 3, "nothing of it");

    let thousand: Vec<_> = (0..1000).map(event).collect();
    assert_eq!(gateway.post("/events", &json!(thousand).to_string()).json()["ids"].as_array().unwrap().len(), 1000);
}

#[test]
fn a_link_is_saved_from_json_and_from_a_form_and_is_one_subject() {
    let gateway = Gateway::start("gw_link");
    let first = gateway.post(
        "/links",
        r#"{"url":"https://Example.org/a?utm_source=x#top","title":"A","note":"why","tags":["x","y"]}"#,
    );
    let json = first.json();
    assert_eq!(json["url"], "https://Example.org/a?utm_source=x#top");
    let subject = gateway.database.psql("SELECT lifestream.link_subject_id('https://example.org/a')");
    assert_eq!(json["subject_id"], subject.as_str());
    let row = gateway
        .database
        .psql("SELECT id, event_type, subject, subject_id, source, tenant_id, payload FROM lifestream.events");
    assert_eq!(
        row,
        format!(
            r#"{}|link.added|link|{subject}|gateway/phone||{{"url": "https://Example.org/a?utm_source=x#top", "note": "why", "tags": ["x", "y"], "title": "A"}}"#,
            first.id()
        )
    );
    let form = gateway.send(
        "POST",
        "/links",
        &[
            ("Authorization", &format!("bearer {PHONE}")),
            ("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"),
        ],
        "url=https%3A%2F%2Fexample.org%2Fa&title=%C3%9C+%26+more&tags=x%2C+z".as_bytes(),
    );
    assert_eq!(form.json()["subject_id"], subject.as_str());
    let payload = gateway.database.psql(&format!("SELECT payload FROM lifestream.events WHERE id = '{}'", form.id()));
    assert_eq!(payload, r#"{"url": "https://example.org/a", "tags": ["x", "z"], "title": "Ü & more"}"#);
}

#[test]
fn a_token_that_is_bound_to_a_tenant_writes_for_no_other() {
    let gateway = Gateway::start("gw_tenant");
    let event = |tenant: &str| format!(r#"{{"event_type":"t","subject":"s","subject_id":"s","payload":{{}}{tenant}}}"#);
    let tenant_of =
        |id: &str| gateway.database.psql(&format!("SELECT tenant_id FROM lifestream.events WHERE id = '{id}'"));
    for own in ["", r#","tenant_id":null"#, r#","tenant_id":"home""#] {
        assert_eq!(tenant_of(&gateway.post_as(HOME, "/events", &[], &event(own)).id()), "home");
    }
    for other in ["", "work"] {
        let body = event(&format!(r#","tenant_id":"{other}""#));
        gateway
            .post_as(HOME, "/events", &[], &body)
            .is_problem(403, &["may not write for the tenant", other, "#/tenant_id"]);
        let array = format!("[{},{body}]", event(""));
        gateway.post_as(HOME, "/events", &[], &array).is_problem(403, &["#/1/tenant_id"]);
    }
    let repeated = event(r#","tenant_id":"home","tenant_id":"work""#);
    gateway.post_as(HOME, "/events", &[], &repeated).is_problem(403, &["work"]);
    let escaped = event(r#","tenant_\u0069d":"work""#);
    gateway.post_as(HOME, "/events", &[], &escaped).is_problem(403, &["work"]);

    let link = gateway.post_as(HOME, "/links", &[], r#"{"url":"https://example.org/"}"#);
    assert_eq!(tenant_of(&link.id()), "home");
    assert_eq!(
        link.json()["subject_id"],
        gateway.database.psql("SELECT lifestream.link_subject_id('https://example.org/', 'home')").as_str()
    );
    let other = r#"{"url":"https://example.org/","tenant":"work"}"#;
    gateway.post_as(HOME, "/links", &[], other).is_problem(403, &["work", "#/tenant"]);
    // A token that is bound to none may say whose it is.
    assert_eq!(tenant_of(&gateway.post("/links", other).id()), "work");
    assert_eq!(tenant_of(&gateway.post("/events", &event(r#","tenant_id":"work""#)).id()), "work");
    assert_eq!(tenant_of(&gateway.post("/links", r#"{"url":"https://example.org/"}"#).id()), "");
}

#[test]
fn an_account_that_may_only_emit_is_enough() {
    let database = Postgres::shared().database("gw_role");
    database.psql("CREATE ROLE gw_emitter LOGIN PASSWORD 'emit' IN ROLE lifestream_emitter");
    let (_, server) = database.url().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let gateway = Gateway::start_with(database, &format!("postgresql://gw_emitter:emit@{server}"));
    assert_eq!(gateway.send("GET", "/readyz", &[], b"").status, 200);
    let link = r#"{"url":"https://example.org/"}"#;
    let first = gateway.with_key("k", "/links", link);
    assert_eq!(first.header("idempotency-replayed"), None);
    let again = gateway.with_key("k", "/links", link);
    assert_eq!((again.id(), again.header("idempotency-replayed")), (first.id(), Some("true")));
    gateway
        .with_key("k", "/links", r#"{"url":"https://example.org/","title":"other"}"#)
        .is_problem(422, &["\\\"k\\\""]);
    assert_eq!(gateway.events(), 1);
}

#[test]
fn what_only_the_parts_may_tell_is_refused_by_its_name() {
    let gateway = Gateway::start("gw_parts");
    let event = |event_type: &str| {
        format!(r#"{{"event_type":"{event_type}","subject":"link","subject_id":"l","payload":{{"text_content":"t"}}}}"#)
    };
    // An order to the router, or a forged decision: nobody's over HTTP.
    for (event_type, name) in [
        ("work.failed", "work.failed"),
        ("work.retry_requested", "work.retry"),
        ("work\\u002ediscarded", "work.discarded"),
    ] {
        for token in [PHONE, HOME] {
            let refused = gateway.post_as(token, "/events", &[], &event(event_type));
            refused.is_problem(403, &["reserved-event-type", name, "#/event_type"]);
        }
    }
    let told = ["content.fetched", "enrichment.completed", "publish.completed", "publish.retracted"];
    for event_type in told {
        gateway.post_as(HOME, "/events", &[], &event(event_type)).is_problem(403, &["reserved-event-type", event_type]);
        let array = format!("[{},{}]", event("note.created"), event(event_type));
        gateway.post_as(HOME, "/events", &[], &array).is_problem(403, &["#/1/event_type"]);
    }
    assert_eq!(gateway.events(), 0);
    // Whoever writes for every tenant may tell what he fetched himself.
    assert_eq!(gateway.post("/events", &event("content.fetched")).status, 201);
    assert_eq!(gateway.post_as(HOME, "/events", &[], &event("workshop.opened")).status, 201);
}

#[test]
fn a_tenants_token_names_no_other_tenants_link() {
    let gateway = Gateway::start("gw_links_of_others");
    let id = |tenant: &str| {
        gateway.database.psql(&format!("SELECT lifestream.link_subject_id('https://example.org/a', '{tenant}')"))
    };
    let event = |event_type: &str, subject_id: &str, payload: &str| {
        format!(r#"{{"event_type":"{event_type}","subject":"link","subject_id":"{subject_id}","payload":{payload}}}"#)
    };
    let (own, other, url) = (id("home"), id("work"), r#"{"url":"https://example.org/a"}"#);
    for event_type in ["link.added", "link.removed", "annotation.added"] {
        for foreign in [event(event_type, &other, url), event(event_type, &other, "{}"), event(event_type, &own, "{}")]
        {
            let refused = gateway.post_as(HOME, "/events", &[], &foreign);
            refused.is_problem(403, &["other-tenant", "link:", "payload", "#/subject_id"]);
        }
    }
    let array = format!("[{},{}]", event("link.added", &own, url), event("link.removed", &other, url));
    gateway.post_as(HOME, "/events", &[], &array).is_problem(403, &["#/1/subject_id", &other]);
    gateway
        .post_as(HOME, "/events", &[], &event("link.added", &own, r#"{"url":"no url"}"#))
        .is_problem(422, &["22023"]);
    assert_eq!(gateway.events(), 0);
    // Normalised as the extension does it.
    let same = r#"{"url":"HTTPS://Example.org/a?utm_source=x"}"#;
    let array = format!(
        "[{},{},{}]",
        event("link.added", &own, url),
        event("link.removed", &own, same),
        event("note.created", "n", "{}")
    );
    assert_eq!(gateway.post_as(HOME, "/events", &[], &array).status, 201);
    assert_eq!(gateway.post("/events", &event("link.added", &other, url)).status, 201, "without a tenant: anybody's");
    assert_eq!(gateway.events(), 4);
}
