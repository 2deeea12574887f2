//! Dead letters: in the topic and in the table; retried or discarded by a fact.

use lifestream_envelope::ids;
use serde_json::json;
use uuid::Uuid;

use crate::bench::{Bench, all, due, link, work_message};

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_stands_in_topic_and_table_and_is_retried_or_discarded_over_a_query() {
    let bench = Bench::new("router_letters").await;
    for (number, subject) in ["link:a", "link:b", "link:c"].into_iter().enumerate() {
        let trigger = bench.emit("link.added", subject, &link(number));
        bench.fail(&work_message(trigger, "fetch_link", subject, 3), &json!({ "error": "it is away" }));
    }
    bench.publish().await;
    bench.route().await;
    // The fact that it is given up comes by as any other does.
    bench.publish().await;
    bench.route().await;
    bench.materialize().await;

    let records = bench.records("dead_letter");
    assert_eq!(records.len(), 3);
    for record in &records {
        let value = record.json();
        let mut members: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["agent", "error", "failed_at", "work_message"]);
        assert_eq!((&value["error"], &value["agent"]), (&json!("it is away"), &json!("fetcher")));
        assert_eq!(value["work_message"]["subject_id"], record.key());
        assert_eq!(value["work_message"]["attempt"], 3);
    }
    let table =
        "SELECT subject_id, status, work_type, attempt, error, agent FROM lifestream.dead_letters ORDER BY subject_id";
    let open = |subject: &str| format!("{subject}|open|fetch_link|3|it is away|fetcher");
    assert_eq!(bench.psql(table).lines().collect::<Vec<_>>(), ["link:a", "link:b", "link:c"].map(open));

    let first = bench.work("fetch_link").len();
    bench.psql(
        "SELECT lifestream.retry_dead_letter(id) FROM lifestream.dead_letters WHERE subject_id = 'link:a';
         SELECT lifestream.retry_dead_letter(id) FROM lifestream.dead_letters WHERE subject_id = 'link:a';
         SELECT lifestream.discard_dead_letter(id, 'not worth it') FROM lifestream.dead_letters WHERE subject_id = 'link:b'",
    );
    bench.publish().await;
    bench.route().await;
    bench.materialize().await;
    let work = bench.work("fetch_link");
    let again: Vec<_> = work.iter().filter(|work| work["attempt"] == 4).cloned().collect();
    assert_eq!((work.len() - first, all(&again, "subject_id")), (1, vec!["link:a"]));
    assert_eq!(again[0]["max_attempts"], 6);
    let status = "SELECT string_agg(status, ',' ORDER BY subject_id) FROM lifestream.dead_letters";
    assert_eq!(bench.psql(status), "retried,discarded,open");

    // Failing on, it is given up once more at its sixth attempt.
    for attempt in [4, 5, 6] {
        let mut work = again[0].clone();
        let trigger = work["triggered_by_event_id"].as_str().unwrap().parse().unwrap();
        work["id"] = json!(ids::work_id(trigger, "fetch_link", attempt));
        work["attempt"] = json!(attempt);
        bench.fail(&work, &json!({}));
    }
    bench.publish().await;
    bench.route().await;
    assert_eq!(
        bench.psql("SELECT string_agg(attempt::text, ',' ORDER BY attempt) FROM lifestream.pending_retries"),
        "5,6"
    );
    assert_eq!(bench.psql("SELECT count(*) FROM lifestream.events WHERE event_type = 'work.dead_lettered'"), "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_or_a_request_that_holds_no_work_is_a_dead_letter_with_what_it_held() {
    let bench = Bench::new("router_no_work").await;
    let mut work = work_message(Uuid::now_v7(), "fetch_link", "link:a", 1);
    work.as_object_mut().unwrap().remove("max_attempts");
    let other = work_message(Uuid::now_v7(), "fetch_link", "link:other", 1);
    let told = [
        bench.fail(&work, &json!({})),
        bench.emit("work.failed", "link:b", &json!({ "error": "no word of the work" })),
        bench.emit("work.failed", "link:c", &json!({ "work_message": other, "error": "e" })),
        bench.emit("work.retry_requested", "link:d", &json!({ "work_message": { "work_type": "../../etc" } })),
    ];
    for group in ["router-v1", "router-v2"] {
        bench.publish().await;
        bench.route_as(group).await;
    }
    bench.publish().await;
    bench.materialize().await;
    assert_eq!((bench.count("lifestream.pending_retries"), bench.work("fetch_link").len()), (0, 0));
    let letters = bench.psql(
        "SELECT d.id, d.subject_id, d.status, d.agent, d.work_message ->> 'raw', d.error, e.causation_id
         FROM lifestream.dead_letters d JOIN lifestream.events e USING (id) JOIN lifestream.events c ON c.id = e.causation_id
         ORDER BY c.seq",
    );
    let letters: Vec<_> = letters.lines().map(|line| line.split('|').collect::<Vec<_>>()).collect();
    assert_eq!(letters.len(), 4, "{letters:?}");
    for ((letter, event), (raw, error)) in letters.iter().zip(told).zip([
        (r#""work_type": "fetch_link""#, "missing field `max_attempts`"),
        (r#"{"error": "no word of the work"}"#, "missing field `work_message`"),
        (r#""subject_id": "link:other""#, "subject \"link:other\""),
        (r#"{"work_type": "../../etc"}"#, "missing field"),
    ]) {
        let id = Uuid::new_v5(&ids::NAMESPACE, format!("dead|{event}").as_bytes()).to_string();
        assert_eq!(letter[..4], [id.as_str(), &format!("event:{event}"), "open", "router"]);
        assert!(letter[4].contains(raw), "{letter:?}");
        assert!(letter[5].contains(error), "{letter:?}");
        assert_eq!(letter[6], event.to_string());
    }
    let on_topic: Vec<_> = bench.records("dead_letter").iter().map(|record| record.key().to_owned()).collect();
    assert_eq!(on_topic.len(), 4, "{on_topic:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_postgres_refuses_is_told_in_fewer_words_until_it_is_taken() {
    let bench = Bench::new("router_refused_letter").await;
    let gone = |subject: &str| {
        let mut work = work_message(Uuid::now_v7(), "fetch_link", subject, 2);
        work["payload"] = json!({ "lifestream_payload_omitted": true });
        work
    };
    // Longer than any event's; and one whose letter is larger than an event may be.
    let (long, large) = ("x".repeat(2_000), "y".repeat(900));
    for subject in [&long, &large] {
        due(&bench, &gone(subject), "s");
    }
    let name = &bench.pipeline.database.name;
    bench.psql(&format!("ALTER DATABASE \"{name}\" SET lifestream.max_event_bytes = 1024"));
    bench.route().await;
    assert_eq!(bench.count("lifestream.pending_retries"), 0);
    bench.publish().await;
    bench.materialize().await;
    let letters = bench.psql(
        "SELECT subject_id = 'letter:' || id, left(work_message ->> 'raw', 7), left(error, 37), status
         FROM lifestream.dead_letters",
    );
    let told = r#"t|{"id":"|the event with its payload is gone (a|open"#;
    assert_eq!(letters.lines().collect::<Vec<_>>(), [told, told]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_groups_that_give_up_the_same_work_write_a_letter_each() {
    let bench = Bench::new("router_two_letters").await;
    let trigger = bench.emit("link.added", "link:a", &link(1));
    let work = work_message(trigger, "fetch_link", "link:a", 3);
    for group in ["fetcher-agent-v2", "fetcher-agent-v3"] {
        bench.fail(&work, &json!({ "agent": group, "error": group }));
    }
    bench.publish().await;
    bench.route().await;
    bench.publish().await;
    bench.materialize().await;
    let letters = "SELECT agent, error, status FROM lifestream.dead_letters ORDER BY agent";
    let told = ["fetcher-agent-v2|fetcher-agent-v2|open", "fetcher-agent-v3|fetcher-agent-v3|open"];
    assert_eq!(bench.psql(letters).lines().collect::<Vec<_>>(), told);
}
