//! Failed work is tried again after its wait, and nothing that waits is forgotten.

use lifestream_envelope::ids;
use lifestream_tests::eventually;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::bench::{Bench, SOON, all, due, link, work_message};

const WAITS: &str = "SELECT extract(epoch FROM p.not_before - e.received_at)
    FROM lifestream.pending_retries p JOIN lifestream.events e ON e.event_type = 'work.failed' AND e.subject_id = p.subject_id
    ORDER BY p.subject_id";

#[tokio::test(flavor = "multi_thread")]
async fn failed_work_waits_longer_each_time_with_jitter_and_as_long_as_the_server_asked() {
    let mut bench = Bench::new("router_waits").await;
    // None is due before it is looked at, however busy the machine is.
    bench.settings.agents.retry.base = std::time::Duration::from_secs(500);
    bench.psql("SELECT lifestream.add_route('doc.added', 'slow_doc', NULL, NULL, 3, interval '10 minutes')");
    let trigger = |subject: &str| bench.emit("note.created", subject, &json!({}));
    for (subject, work_type, attempt, more) in [
        ("a", "fetch_link", 1, json!({})),
        ("b", "fetch_link", 2, json!({})),
        ("c", "slow_doc", 1, json!({})),
        ("d", "fetch_link", 1, json!({ "not_before": "2000-01-01T00:00:00Z" })),
        ("e", "fetch_link", 3, json!({})),
        ("f", "fetch_link", 1, json!({ "permanent": true })),
    ] {
        bench.fail(&work_message(trigger(subject), work_type, subject, attempt), &more);
    }
    let asked = work_message(trigger("g"), "fetch_link", "g", 1);
    let asked = json!({ "work_message": asked, "error": "429", "agent": "fetcher" }).to_string();
    bench.psql(&format!(
        "SELECT lifestream.emit_event('work.failed', 'work', 'g', '{asked}'::jsonb || jsonb_build_object('not_before', now() + interval '90 min'))"
    ));
    bench.publish().await;
    bench.route().await;
    let waits: Vec<f64> = bench.psql(WAITS).lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(waits.len(), 5, "{waits:?}");
    for (wait, (least, most)) in
        waits.iter().zip([(400.0, 600.0), (2400.0, 3600.0), (480.0, 720.0), (400.0, 600.0), (5399.9, 5400.1)])
    {
        assert!((least..=most).contains(wait), "{wait} is not within {least} and {most}; {waits:?}");
    }
    let row = bench.psql(
        "SELECT work_type, attempt, reason, work_message ->> 'last_error', work_message ->> 'id' = work_id::text,
                (work_message ->> 'not_before')::timestamptz = not_before
         FROM lifestream.pending_retries WHERE subject_id = 'b'",
    );
    assert_eq!(row, "fetch_link|3|retry|away|t|t");
    let given_up = "SELECT string_agg(subject_id, ',' ORDER BY subject_id) FROM lifestream.events WHERE event_type = 'work.dead_lettered'";
    assert_eq!(bench.psql(given_up), "e,f");
    // None is due: the router did not wait for them, and sent none.
    assert_eq!(bench.work("fetch_link").len(), 0);

    // Routed again, they are the same rows and the same facts.
    let before =
        bench.psql("SELECT jsonb_agg(to_jsonb(p) - 'queued_at' ORDER BY work_id) FROM lifestream.pending_retries p");
    bench.route_as("router-v2").await;
    assert_eq!(
        bench.psql("SELECT jsonb_agg(to_jsonb(p) - 'queued_at' ORDER BY work_id) FROM lifestream.pending_retries p"),
        before
    );
    assert_eq!(bench.psql(given_up), "e,f");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_none_and_what_is_due_is_sent_as_the_next_attempt() {
    let mut bench = Bench::new("router_restart").await;
    bench.settings.agents.retry.base = std::time::Duration::from_secs(3600);
    let mut triggers = Vec::new();
    for number in 0..40 {
        let subject = format!("link:{number}");
        let trigger = bench.emit("link.added", &subject, &link(number));
        bench.fail(&work_message(trigger, "fetch_link", &subject, 1), &json!({}));
        triggers.push(trigger);
    }
    bench.publish().await;
    bench.route().await;
    let attempt = |number: i64| bench.work("fetch_link").iter().filter(|work| work["attempt"] == number).count();
    assert_eq!((attempt(1), attempt(2)), (40, 0));
    // Nothing but the table remembers them now.
    assert_eq!(bench.count("lifestream.pending_retries"), 40);
    bench.psql("UPDATE lifestream.pending_retries SET not_before = now() + interval '1 s'");
    let router = bench.start();
    eventually(SOON, "all are sent", || bench.count("lifestream.pending_retries") == 0);
    router.stop().await;
    let second: Vec<_> = bench.work("fetch_link").into_iter().filter(|work| work["attempt"] == 2).collect();
    let mut expected: Vec<_> = triggers.iter().map(|id| ids::work_id(*id, "fetch_link", 2).to_string()).collect();
    expected.sort_unstable();
    assert_eq!(all(&second, "id"), expected);
    assert!(second.iter().all(|work| work["last_error"] == "away" && work["not_before"].is_string()));
    assert_eq!(second[0]["payload"], json!({ "url": "https://example.org/" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_is_sent_the_guard_is_asked_again() {
    let mut bench = Bench::new("router_guard_again").await;
    bench.settings.agents.retry.base = std::time::Duration::from_secs(3600);
    for (number, subject) in ["link:fetched", "link:removed", "link:open"].into_iter().enumerate() {
        let trigger = bench.emit("link.added", subject, &link(number));
        bench.fail(&work_message(trigger, "fetch_link", subject, 1), &json!({}));
    }
    // Put aside by an agent: the same attempt, a little later.
    let aside = work_message(uuid::Uuid::now_v7(), "fetch_link", "link:aside", 1);
    bench.psql(&format!(
        "INSERT INTO lifestream.pending_retries (work_id, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message)
         VALUES ('{}', 'fetch_link', '', 'link:aside', 1, now(), 'circuit', '{aside}')",
        aside["id"].as_str().unwrap()
    ));
    bench.publish().await;
    bench.route().await;
    let first = |work: &serde_json::Value| work["attempt"] == 1 && work["subject_id"] != "link:aside";
    assert_eq!(bench.work("fetch_link").iter().filter(|work| first(work)).count(), 3);

    bench.emit("content.fetched", "link:fetched", &json!({ "text_content": "T", "fetch_error": null, "metadata": {} }));
    bench.emit("link.removed", "link:removed", &json!({}));
    bench.publish().await;
    bench.materialize().await;
    // What an agent has put off is sent all the same: it may be a new version, which fetches anew what is fetched.
    let trigger =
        bench.psql("SELECT id FROM lifestream.events WHERE event_type = 'link.added' AND subject_id = 'link:fetched'");
    let off = work_message(trigger.parse().unwrap(), "fetch_link", "link:fetched", 2);
    bench.psql(&format!(
        "INSERT INTO lifestream.pending_retries (work_id, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message)
         VALUES (gen_random_uuid(), 'fetch_link', '', 'link:fetched', 2, now(), 'lane', '{off}')"
    ));
    bench.psql("UPDATE lifestream.pending_retries SET not_before = now()");
    bench.route().await;
    assert_eq!(bench.count("lifestream.pending_retries"), 0);
    let later: Vec<_> = bench.work("fetch_link").into_iter().filter(|work| !first(work)).collect();
    assert_eq!(all(&later, "subject_id"), ["link:aside", "link:fetched", "link:open"]);
    assert_eq!(later.iter().find(|work| work["subject_id"] == "link:aside").unwrap()["id"], aside["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_no_work_holds_nothing_up() {
    let bench = Bench::new("router_bad_row").await;
    bench.psql(
        "INSERT INTO lifestream.pending_retries (work_id, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message)
         SELECT gen_random_uuid(), 'fetch_link', '', 's', 1, now() - interval '1 h', 'retry', '{\"id\":1}' FROM generate_series(1, 600)",
    );
    let trigger = bench.emit("link.added", "link:a", &link(1));
    let work = work_message(trigger, "fetch_link", "link:a", 2);
    bench.psql(&format!(
        "INSERT INTO lifestream.pending_retries (work_id, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message)
         VALUES ('{}', 'fetch_link', '', 'link:a', 2, now(), 'retry', '{work}')",
        work["id"].as_str().unwrap()
    ));
    bench.route().await;
    assert_eq!(all(&bench.work("fetch_link"), "subject_id"), ["link:a"]);
    assert_eq!(bench.count("lifestream.pending_retries WHERE not_before > now()"), 600);
}

/// What a group makes of an attempt at fetching a link.
fn fetched(bench: &Bench, group: &str, trigger: Uuid, subject: &str, attempt: u32) {
    let id = ids::result_id(group, ids::work_id(trigger, "fetch_link", attempt));
    bench.psql(&format!(
        "SELECT lifestream.emit_event('content.fetched', 'link', '{subject}', '{{\"text_content\":\"T\",\"fetch_error\":null,\"metadata\":{{}}}}',
            id => '{id}', causation_id => '{trigger}')"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_groups_own_retry_is_sent_although_another_group_has_done_the_work() {
    const NEW: &str = "fetcher-agent-v3";
    let mut bench = Bench::new("router_two_groups").await;
    bench.settings.agents.retry.base = std::time::Duration::from_secs(3600);
    let mut triggers = Vec::new();
    for (number, subject) in ["link:passing", "link:overtaken", "link:given-up", "link:removed"].into_iter().enumerate()
    {
        let trigger = bench.emit("link.added", subject, &link(number));
        let attempt = if subject == "link:given-up" { 3 } else { 1 };
        if subject != "link:removed" {
            fetched(&bench, "fetcher-agent-v2", trigger, subject, 1);
        }
        bench.fail(&work_message(trigger, "fetch_link", subject, attempt), &json!({ "agent": NEW }));
        triggers.push(trigger);
    }
    bench.publish().await;
    bench.route().await;
    // By hand one has gone further meanwhile, and the only one that nobody has done was removed.
    fetched(&bench, NEW, triggers[1], "link:overtaken", 3);
    bench.emit("link.removed", "link:removed", &json!({}));
    bench.publish().await;
    bench.materialize().await;
    bench.psql("SELECT lifestream.retry_dead_letter(id) FROM lifestream.dead_letters");
    bench.publish().await;
    let sent = async |group: &str| {
        bench.route_as(group).await;
        bench.psql("UPDATE lifestream.pending_retries SET not_before = now()");
        bench.route_as(group).await;
        let work: Vec<Value> = bench.work("fetch_link").into_iter().filter(|work| work["attempt"] != 1).collect();
        all(&work, "subject_id").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(sent("router-v1").await, ["link:given-up", "link:passing"]);
    // Once the group has done it, the same request brings it no second time.
    fetched(&bench, NEW, triggers[0], "link:passing", 2);
    fetched(&bench, NEW, triggers[2], "link:given-up", 4);
    bench.publish().await;
    assert_eq!(sent("router-v2").await, ["link:given-up", "link:passing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_that_answers_no_work_of_this_type_switches_no_guard_off() {
    let mut bench = Bench::new("router_forged_answer").await;
    bench.settings.agents.retry.base = std::time::Duration::from_secs(3600);
    // Made up, of other work, and of another event: whoever may emit may name any cause.
    let answers: [fn(Uuid) -> Uuid; 3] = [
        |_| Uuid::now_v7(),
        |trigger| ids::result_id("fetcher-agent-v2", ids::work_id(trigger, "index_link", 1)),
        |_| ids::result_id("fetcher-agent-v2", ids::work_id(Uuid::nil(), "fetch_link", 1)),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let subject = format!("link:{number}");
        let trigger = bench.emit("link.added", &subject, &link(number));
        bench.psql(&format!(
            "SELECT lifestream.emit_event('note.created', 'note', '{subject}', '{{}}', id => '{}', causation_id => '{trigger}')",
            answer(trigger)
        ));
        bench.fail(&work_message(trigger, "fetch_link", &subject, 1), &json!({ "agent": "fetcher-agent-v3" }));
        bench.emit("link.removed", &subject, &json!({}));
    }
    bench.publish().await;
    bench.materialize().await;
    bench.route().await;
    assert_eq!(bench.count("lifestream.pending_retries"), 3);
    bench.psql("UPDATE lifestream.pending_retries SET not_before = now()");
    bench.route().await;
    let retries: Vec<Value> = bench.work("fetch_link").into_iter().filter(|work| work["attempt"] != 1).collect();
    assert!(retries.is_empty(), "nobody fetches a link that was removed: {retries:?}");
    assert_eq!(bench.count("lifestream.pending_retries"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_work_that_is_due_goes_out_a_few_at_a_time() {
    let bench = Bench::new("router_large_due").await;
    let mut work = work_message(Uuid::now_v7(), "fetch_link", "link:large", 1);
    work["payload"] = json!({ "text": "x".repeat(800_000) });
    let mut expected: Vec<String> = Vec::new();
    for attempt in 2..62 {
        work["id"] = json!(ids::work_id(Uuid::nil(), "fetch_link", attempt));
        work["attempt"] = json!(attempt);
        expected.push(work["id"].as_str().unwrap().to_owned());
        due(&bench, &work, "link:large");
    }
    expected.sort_unstable();
    let mut environment = bench.pipeline.environment();
    environment.push(("LIFESTREAM_FAILPOINT".to_owned(), "retry.produced".to_owned()));
    let mut doomed = lifestream_tests::Program::spawn(&["router"], &environment);
    eventually(SOON, "it ends once it has sent the first ones", || !doomed.is_running());
    let first = bench.records("fetch_link").len();
    assert!((1..30).contains(&first), "{first} of 800 kB at once");
    bench.route().await;
    let mut sent: Vec<String> =
        bench.work("fetch_link").iter().map(|work| work["id"].as_str().unwrap().to_owned()).collect();
    sent.sort_unstable();
    sent.dedup();
    assert_eq!((sent == expected, bench.count("lifestream.pending_retries")), (true, 0));
}
