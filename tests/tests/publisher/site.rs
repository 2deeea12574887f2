//! What is published, and what leaves.

use lifestream_agents::publisher::Publisher;
use lifestream_agents::runner::Failure;
use lifestream_tests::eventually_async;
use serde_json::{Value, json};

use crate::bench::{Bench, Link, SOON, URL};
use crate::tree::{assert_same, files, mentions};

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_on_its_page_its_tags_pages_the_first_page_and_in_the_feeds() {
    let bench = Bench::new("pub_link");
    let publisher = bench.publisher();
    let link = Link {
        metadata: json!({"site_name": "The Example", "byline": "A. Writer", "language": "en-GB", "published_at": "2024-05-03T10:00:00Z"}),
        ..Link::new("https://www.example.org/a?b=c", "On ropes & knots")
    };
    let (subject, event) = bench.link(&link).await;
    let fact = bench.publish(&publisher, &subject, event).await.unwrap();
    assert_eq!(fact.event_type, "publish.completed");
    let url = fact.payload["url"].as_str().unwrap();
    let path = url.strip_prefix(&format!("{URL}/")).expect("below the served address");
    let page = bench.read(path);
    for expected in [
        "On ropes &#38; knots",
        "href=\"https://www.example.org/a?b=c\" rel=\"noopener",
        "example.org",
        "The Example",
        "A. Writer",
        "3 May 2024",
        "lang=\"en-GB\"",
        "A summary.",
        "things",
        "local",
        "../tags/reading/index.html",
        "../tags/rust/index.html",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    let mentioned = mentions(bench.folder.path(), &["On ropes &"]);
    let month = bench.psql("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')");
    let archive = format!("archive/{month}.html");
    let expected =
        [&archive, "feed.atom", "feed.json", "index.html", path, "tags/reading/index.html", "tags/rust/index.html"];
    assert_eq!(mentioned, expected);
    assert!(bench.read("tags/index.html").contains("reading/index.html"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_link_leaves_every_page_and_comes_back() {
    let bench = Bench::new("pub_removed");
    let publisher = bench.publisher();
    let (other, event) =
        bench.link(&Link { tags: vec!["kept"], ..Link::new("https://example.org/stays", "Stays") }).await;
    bench.publish(&publisher, &other, event).await.unwrap();
    let before = files(bench.folder.path());
    let (subject, event) =
        bench.link(&Link { tags: vec!["passing"], ..Link::new("https://example.org/goes", "Goes away") }).await;
    bench.publish(&publisher, &subject, event).await.unwrap();
    let with = files(bench.folder.path());
    assert!(with.contains_key("tags/passing/index.html"));

    let removed = bench.fact("link.removed", &subject, "", json!({})).await;
    let fact = bench.publish(&publisher, &subject, removed).await.unwrap();
    assert_eq!((fact.event_type, &fact.payload), ("publish.retracted", &json!({"url": Value::Null})));
    assert!(mentions(bench.folder.path(), &["Goes away", "example.org/goes", "passing"]).is_empty());
    assert_eq!(files(bench.folder.path()), before, "as if it had never been");
    assert!(!bench.path("tags/passing").exists());

    let again = bench.fact("link.added", &subject, "", json!({"url": "https://example.org/goes"})).await;
    assert_eq!(bench.publish(&publisher, &subject, again).await.unwrap().event_type, "publish.completed");
    assert_eq!(files(bench.folder.path()), with);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_enriched_anew_moves_between_tags() {
    let bench = Bench::new("pub_anew");
    let publisher = bench.publisher();
    let (subject, event) = bench.link(&Link::new("https://example.org/", "Title")).await;
    bench.publish(&publisher, &subject, event).await.unwrap();
    let anew = json!({"tags": ["gardening"], "summary": "Another summary.", "topic": null, "model": null});
    let event = bench.fact("enrichment.completed", &subject, "", anew).await;
    bench.publish(&publisher, &subject, event).await.unwrap();
    assert!(!bench.path("tags/rust").exists() && bench.path("tags/gardening/index.html").exists());
    assert!(mentions(bench.folder.path(), &["A summary."]).is_empty());
    assert_same(bench.folder.path(), bench.fresh().await.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_merged_for_many_links_are_followed_with_the_next_work() {
    let bench = Bench::new("pub_merged");
    let publisher = bench.publisher();
    for n in 0..3 {
        let url = format!("https://example.org/{n}");
        let (subject, event) = bench.link(&Link { found: vec!["rustlang"], ..Link::new(&url, "T") }).await;
        bench.publish(&publisher, &subject, event).await.unwrap();
    }
    bench.fact("tag.merged", "tags", "", json!({"from": "rustlang", "into": "rust"})).await;
    let (subject, event) =
        bench.link(&Link { found: vec!["music"], ..Link::new("https://example.org/new", "New") }).await;
    bench.publish(&publisher, &subject, event).await.unwrap();
    assert!(!bench.path("tags/rustlang").exists());
    assert_eq!(bench.read("tags/rust/index.html").matches("<article").count(), 3);
    assert_same(bench.folder.path(), bench.fresh().await.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_have_sites_of_their_own() {
    let bench = Bench::new("pub_tenants");
    let publisher = bench.publisher();
    for (tenant, title) in [("", "Nobody's"), ("acme", "Of Acme"), ("../evil", "Of Evil")] {
        let (subject, event) = bench.link(&Link { tenant, ..Link::new("https://example.org/", title) }).await;
        let fact = bench.publish(&publisher, &subject, event).await.unwrap();
        let url = fact.payload["url"].as_str().unwrap();
        assert!(url.starts_with(&format!("{URL}/{}", if tenant.is_empty() { "links/" } else { "t/" })), "{url}");
    }
    let acme = mentions(bench.folder.path(), &["Of Acme"]);
    assert!(acme.len() > 5 && acme.iter().all(|path| path.starts_with("t/acme/")), "{acme:?}");
    assert!(mentions(bench.folder.path(), &["Nobody's", "Nobody&#39;s"]).iter().all(|path| !path.starts_with("t/")));
    let evil = mentions(bench.folder.path(), &["Of Evil"]);
    assert!(evil.len() > 5 && evil.iter().all(|path| path.starts_with("t/evil.")), "{evil:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_is_waited_for() {
    let bench = Bench::new("pub_waits");
    let publisher = bench.publisher();
    let (subject, first) = bench.link(&Link::new("https://example.org/", "Title")).await;
    bench.publish(&publisher, &subject, first).await.unwrap();
    let enriched = json!({"tags": [], "summary": "The newer one.", "topic": null, "model": null});
    let event = bench.emit("enrichment.completed", &subject, "", enriched).await;
    let asked = || async {
        bench.psql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%event_ingest_dedupe%' AND pid <> pg_backend_pid()") != "0"
    };
    let (published, ()) = tokio::join!(bench.publish(&publisher, &subject, event), async {
        eventually_async(SOON, "it asks for the event", asked).await;
        bench.materialize();
    });
    published.unwrap();
    assert!(bench.read("index.html").contains("The newer one."));
}

#[tokio::test]
async fn a_state_that_does_not_come_is_no_failure() {
    let bench = Bench::new("pub_lag");
    let enriched = json!({"tags": ["rust"], "summary": "A summary.", "topic": "things", "model": "local"});
    let event = bench.emit("enrichment.completed", "link:late", "", enriched).await;
    let answer = bench.publish(&bench.publisher(), "link:late", event).await.unwrap_err();
    assert!(matches!(&answer, Failure::NotYet { reason, .. } if reason.contains("materializer")), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_needs_is_asked_for_by_name() {
    let bench = Bench::new("pub_settings").without("LIFESTREAM_FEED_DIR");
    let error = Publisher::new(&bench.settings()).err().unwrap();
    assert!(error.is_setting() && error.to_string().contains("LIFESTREAM_FEED_DIR"), "{error}");

    let bench = Bench::new("pub_foreign");
    std::fs::write(bench.path("index.html"), "somebody's").unwrap();
    let error = bench.publisher().refresh(&bench.shared).await.unwrap_err();
    assert!(error.is_setting() && error.to_string().contains("index.html"), "{error}");
    assert_eq!(bench.read("index.html"), "somebody's");

    let blocked = bench.path("file");
    std::fs::write(&blocked, "").unwrap();
    let publisher = bench.publisher_of(&blocked.join("below"));
    let (subject, event) = bench.link(&Link::new("https://example.org/", "Title")).await;
    let failure = bench.publish(&publisher, &subject, event).await.unwrap_err();
    assert!(matches!(&failure, Failure::Passing { error, .. } if error.contains("LIFESTREAM_FEED_DIR")), "{failure:?}");
}
