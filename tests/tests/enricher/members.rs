//! The agent as it runs: two members of the group, each with the whole catalog before its first task.

use lifestream_tests::{Kafka, Pipeline, Postgres, Program, eventually};

use super::api::{Api, WRONG_KEY};
use super::{SOON, Writer, all, names, offered, work};

const KEYS: [&str; 2] = ["key-of-the-first", "key-of-the-second"];

fn member(pipeline: &Pipeline<'_>, key: &str) -> Program {
    let mut environment = pipeline.environment();
    environment.push(("OPENAI_API_KEY".to_owned(), key.to_owned()));
    Program::spawn(&["agent", "enricher"], &environment)
}

fn completed(pipeline: &Pipeline<'_>) -> usize {
    let count = "SELECT count(*) FROM lifestream.events WHERE event_type = 'enrichment.completed'";
    pipeline.database.psql(count).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_share_the_work_and_each_has_the_whole_catalog_at_its_first_task() {
    let api = Api::start().await;
    let pipeline =
        Pipeline::new("enricher_members", Postgres::shared(), Kafka::shared()).with("OPENAI_BASE_URL", &api.base);
    pipeline.run(&["init"]);
    let writer = Writer::new(Kafka::shared(), &pipeline.prefix);
    let known = names(120);
    for name in &known {
        writer.tag(name, 2).await;
    }
    let members = KEYS.map(|key| member(&pipeline, key));
    let mut sent = 0;
    // Until both have joined, one of them has all of the work.
    while !KEYS.iter().all(|key| !api.asked(key).is_empty()) {
        for _ in 0..12 {
            sent += 1;
            writer.work(&work(&format!("link:{sent}"), "Bread is baked from flour and water.")).await;
        }
        eventually(SOON, "every task has its fact", || completed(&pipeline) == sent);
    }
    for key in KEYS {
        let first = api.asked(key).remove(0);
        assert!(all(&offered(&first.told, &known)), "{key}: {:?}", offered(&first.told, &known));
    }
    let facts = pipeline.database.psql(
        "SELECT DISTINCT source, subject, payload - 'text_digest' FROM lifestream.events WHERE event_type = 'enrichment.completed'",
    );
    let payload = r#"{"tags": ["bread"], "model": "gpt-4o-mini", "topic": "Baking", "summary": "How bread is baked.", "language": "en"}"#;
    assert_eq!(facts, format!("agent/enricher|link|{payload}"));
    for member in members {
        let log = member.log();
        assert!(!KEYS.iter().any(|key| log.contains(key)) && !log.contains("flour"), "{log}");
        assert_eq!(member.terminate().code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_pauses_the_api_and_sends_no_link_to_the_dead_letters() {
    let api = Api::start().await;
    let pipeline =
        Pipeline::new("enricher_wrong_key", Postgres::shared(), Kafka::shared()).with("OPENAI_BASE_URL", &api.base);
    pipeline.run(&["init"]);
    let writer = Writer::new(Kafka::shared(), &pipeline.prefix);
    let links = 100;
    for link in 0..links {
        writer.work(&work(&format!("link:{link}"), "Bread is baked from flour and water.")).await;
    }
    let agent = member(&pipeline, WRONG_KEY);
    let circuit = || pipeline.database.psql("SELECT state, last_error FROM lifestream.circuits");
    eventually(SOON, "the API's circuit is open", || circuit().starts_with("paused|"));
    assert!(
        circuit().contains("answers 401 invalid_api_key: it does not take the key (OPENAI_API_KEY)"),
        "{}",
        circuit()
    );

    let failed = |what: &str| {
        let sql = format!("SELECT count(*) FROM lifestream.events WHERE event_type = 'work.failed' AND {what}");
        pipeline.database.psql(&sql).parse::<usize>().unwrap()
    };
    assert_eq!(failed("(payload ->> 'permanent')::boolean"), 0);
    // Ten in a row open it, and eight may have been under way.
    assert!((10..=18).contains(&failed("true")), "{} of {links}", failed("true"));
    let told = pipeline.database.psql("SELECT string_agg(payload ->> 'error', ',') FROM lifestream.events");
    let log = agent.log();
    assert!(!told.contains(WRONG_KEY) && !log.contains(WRONG_KEY) && log.contains("answers 401"), "{told}\n{log}");
    assert_eq!(agent.terminate().code(), Some(0));

    // What did not fail waits with its attempt unspent: there, or still in Kafka for a member with the right key.
    pipeline.database.psql("DELETE FROM lifestream.circuits");
    let agent = member(&pipeline, KEYS[0]);
    let waiting = "SELECT count(*) FROM lifestream.pending_retries WHERE reason = 'circuit' AND attempt = 1";
    eventually(SOON, "each link is enriched, waits or has failed once", || {
        let waiting: usize = pipeline.database.psql(waiting).parse().unwrap();
        completed(&pipeline) + waiting + failed("true") == links
    });
    assert_eq!(agent.terminate().code(), Some(0));
}
