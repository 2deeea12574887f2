//! The catalog of tags: what links have, whatever was there before.

use std::collections::BTreeMap;

use lifestream_agents::catalog::Reader;
use lifestream_tests::{eventually, eventually_async};
use serde_json::json;

use crate::bench::{Bench, SOON};

fn tagged(number: usize, tags: &[&str]) -> serde_json::Value {
    json!({ "url": format!("https://example.org/{number}"), "title": "T", "tags": tags })
}

/// What a consumer gets that reads the topic from its beginning: key → links.
fn catalog(bench: &Bench) -> BTreeMap<String, u64> {
    let mut catalog = BTreeMap::new();
    for record in bench.pipeline.records("tags.catalog") {
        match &record.value {
            Some(_) => catalog.insert(record.key().to_owned(), record.json()["links"].as_u64().unwrap()),
            None => catalog.remove(record.key()),
        };
    }
    catalog
}

/// What the tables say.
fn counted(bench: &Bench) -> BTreeMap<String, u64> {
    let counts =
        "SELECT CASE tenant_id WHEN '' THEN tag ELSE tenant_id || '/' || tag END, links FROM lifestream.tag_counts";
    let read = |line: &str| line.split_once('|').map(|(key, links)| (key.to_owned(), links.parse().unwrap())).unwrap();
    bench.psql(counts).lines().map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_follows_the_tags_of_links_with_exact_counts_and_tombstones() {
    let bench = Bench::new("router_catalog").await;
    bench.emit("link.added", "link:1", &tagged(1, &["rust", "kafka"]));
    bench.emit("link.added", "link:2", &tagged(2, &["rust"]));
    bench.emit("link.added", "link:3", &tagged(3, &["tcp/ip"]));
    bench.psql("SELECT lifestream.emit_event('link.added', 'link', 'link:4', '{\"url\":\"https://example.org/4\",\"tags\":[\"rust\"]}', tenant_id => 'acme')");
    bench.publish().await;
    bench.materialize().await;
    bench.route().await;
    let expected: [(&str, u64); 4] = [("acme/rust", 1), ("kafka", 1), ("rust", 2), ("tcp/ip", 1)];
    let expected: BTreeMap<String, u64> = expected.iter().map(|(key, links)| ((*key).to_owned(), *links)).collect();
    assert_eq!((catalog(&bench), counted(&bench)), (expected.clone(), expected));
    let written = bench.pipeline.records("tags.catalog").len();
    let given = |key: &str| {
        bench.pipeline.records("tags.catalog").iter().rfind(|record| record.key() == key).unwrap().json()["given"]
            .clone()
    };
    assert_eq!(given("rust"), true, "by a person");
    // Nothing new: nothing is written.
    bench.route().await;
    assert_eq!(bench.pipeline.records("tags.catalog").len(), written);

    // While it runs: enrichment adds, a removal takes away, a merge and a drop leave tombstones.
    let reader = Reader::start(&bench.client, "tests").await.unwrap();
    let router = bench.start();
    bench.emit(
        "enrichment.completed",
        "link:2",
        &json!({ "tags": ["postgres"], "summary": "S", "topic": "T", "model": "m" }),
    );
    bench.emit("link.removed", "link:3", &json!({}));
    bench.psql(
        "SELECT lifestream.emit_event('tag.merged', 'tag', 'tags', '{\"from\":\"kafka\",\"into\":\"streams\"}');
         SELECT lifestream.emit_event('tag.dropped', 'tag', 'tags:acme', '{\"tag\":\"rust\"}', tenant_id => 'acme')",
    );
    bench.publish().await;
    bench.materialize().await;
    let expected: BTreeMap<String, u64> =
        [("postgres", 1), ("rust", 2), ("streams", 1)].map(|(key, links)| (key.to_owned(), links)).into();
    eventually(SOON, "the catalog is what the tables say", || catalog(&bench) == expected);
    assert_eq!(counted(&bench), expected);
    let known = || -> BTreeMap<String, u64> {
        reader.catalog().all().iter().map(|(key, known)| (key.clone(), known.value.links)).collect()
    };
    eventually(SOON, "a reader follows, tombstones too", || known() == expected);
    assert_eq!((given("rust"), given("postgres")), (true.into(), false.into()));
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_deleted_and_made_again_is_filled_with_the_exact_counts() {
    let bench = Bench::new("router_catalog_rebuilt").await;
    bench.psql(
        "SELECT count(lifestream.emit_event('link.added', 'link', 'link:' || n, jsonb_build_object(
            'url', 'https://example.org/' || n, 'tags', jsonb_build_array('all', 'mod ' || n % 7, 'mod ' || n % 11))))
         FROM generate_series(1, 1000) n",
    );
    bench.psql("SELECT count(lifestream.emit_event('link.removed', 'link', 'link:' || n, '{}')) FROM generate_series(1, 1000, 10) n");
    bench.publish().await;
    bench.materialize().await;
    let router = bench.start();
    let expected = counted(&bench);
    assert_eq!((expected.len(), expected["all"]), (12, 900));
    eventually(SOON, "the catalog is whole", || catalog(&bench) == expected);
    let reader = Reader::start(&bench.client, "tests").await.unwrap();

    let topic = bench.client.topic("tags.catalog");
    assert!(bench.client.delete_topic(&topic).await.unwrap());
    let spec = lifestream_envelope::topics::TOPICS.iter().find(|spec| spec.name == "tags.catalog").unwrap();
    eventually_async(SOON, "it is made again", || async { bench.client.create_topic(spec).await.is_ok() }).await;
    // A change that concerns tags has the running router compare; a second would be the minute's turn.
    bench.emit("link.added", "link:new", &tagged(7, &["new"]));
    bench.publish().await;
    bench.materialize().await;
    let expected = counted(&bench);
    assert_eq!(expected.len(), 13);
    eventually(SOON, "the new topic holds all of it", || catalog(&bench) == expected);
    reader.current().await.unwrap();
    assert_eq!(reader.catalog().all().len(), 13);
    router.stop().await;
}
