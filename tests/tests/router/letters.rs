//! Dead letters: in the topic and in the table; retried or discarded by a fact.

use serde_json::json;

use crate::bench::{Bench, all, link, work_message};

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
        work["id"] = json!(lifestream_envelope::ids::work_id(trigger, "fetch_link", attempt));
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
