//! The feeds, by the rules of their formats and as an independent reader sees them.

use std::collections::BTreeSet;

use feed_rs::model::{Feed, FeedType};
use serde_json::Value;

use crate::bench::{Bench, Link, URL};

/// The Atom feed, after its own rules (RFC 4287) were checked.
pub fn atom(text: &str) -> Feed {
    assert!(
        text.starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\"")
    );
    assert!(text.chars().all(is_xml), "a character that XML 1.0 does not know");
    let feed = feed_rs::parser::parse(text.as_bytes()).expect("an independent reader understands it");
    assert_eq!(feed.feed_type, FeedType::Atom);
    check(&feed, "feed.atom");
    for word in ["<title", "<id>urn:uuid:", "<updated>", "<author><name>"] {
        assert!(text.contains(word), "{word}");
    }
    feed
}

/// The JSON Feed, after its own rules (version 1.1) were checked.
pub fn json(text: &str) -> Feed {
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(value["version"], "https://jsonfeed.org/version/1.1");
    assert!(value["title"].is_string() && value["feed_url"].is_string() && value["home_page_url"].is_string());
    for item in value["items"].as_array().expect("items, also when there are none") {
        assert!(item["id"].is_string() && item["content_html"].is_string(), "{item}");
        let times = [&item["date_published"], &item["date_modified"]];
        assert!(
            times.iter().all(|time| time.as_str().is_some_and(|time| time.len() == 20 && time.ends_with('Z'))),
            "{item}"
        );
        assert!(item["url"].as_str().unwrap().starts_with("http"), "{item}");
    }
    let feed = feed_rs::parser::parse(text.as_bytes()).expect("an independent reader understands it");
    assert_eq!(feed.feed_type, FeedType::JSON);
    feed
}

fn check(feed: &Feed, path: &str) {
    assert!(feed.title.as_ref().is_some_and(|title| !title.content.is_empty()) && feed.updated.is_some());
    let own = feed.links.iter().find(|link| link.rel.as_deref() == Some("self")).expect("a link to itself");
    assert!(own.href.ends_with(path), "{}", own.href);
    let ids: BTreeSet<&str> = feed.entries.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids.len(), feed.entries.len(), "no two entries have one id");
    for entry in &feed.entries {
        assert!(entry.id.starts_with("urn:uuid:") && entry.id != feed.id, "{}", entry.id);
        assert!(entry.updated.is_some() && entry.published.is_some() && entry.title.is_some());
        let pages = entry.links.iter().filter(|link| link.rel.as_deref() == Some("alternate")).count();
        assert_eq!(pages, 1, "one page of its own");
    }
    let newest = feed.entries.iter().filter_map(|entry| entry.updated).max();
    assert!(newest.is_none_or(|newest| feed.updated == Some(newest)));
}

/// The characters of XML 1.0 (section 2.2).
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_site_has_valid_feeds() {
    let bench = Bench::new("pub_empty");
    bench.publisher().refresh(&bench.shared).await.unwrap();
    assert!(atom(&bench.read("feed.atom")).entries.is_empty());
    assert!(json(&bench.read("feed.json")).entries.is_empty());
    assert!(bench.read("index.html").contains("Nothing is published yet"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_fifty_are_in_the_feeds_newest_first() {
    let bench = Bench::new("pub_fifty");
    let publisher = bench.publisher();
    let mut works = Vec::new();
    for n in 0..53 {
        let (url, title) = (format!("https://example.org/{n}"), format!("Title {n}"));
        works.push(bench.link(&Link::new(&url, &title)).await);
    }
    let all = works.iter().map(|(subject, event)| bench.publish(&publisher, subject, *event));
    futures_util::future::join_all(all).await.into_iter().for_each(|fact| drop(fact.unwrap()));
    let (atom, json) = (atom(&bench.read("feed.atom")), json(&bench.read("feed.json")));
    let expected: Vec<String> = (3..53).rev().map(|n| format!("Title {n}")).collect();
    for feed in [&atom, &json] {
        let titles: Vec<&str> =
            feed.entries.iter().map(|entry| entry.title.as_ref().unwrap().content.as_str()).collect();
        assert_eq!(titles, expected);
    }
    let ids = |feed: &Feed| feed.entries.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&atom), ids(&json), "an entry is the same in both");
    let first = &atom.entries[0];
    assert_eq!(first.summary.as_ref().unwrap().content, "A summary.");
    let tags: Vec<&str> = first.categories.iter().map(|category| category.term.as_str()).collect();
    assert_eq!(tags, ["reading", "rust"]);
    let href = |rel| first.links.iter().find(|link| link.rel.as_deref() == Some(rel)).unwrap().href.clone();
    assert_eq!(href("related"), "https://example.org/52");
    assert!(href("alternate").starts_with(&format!("{URL}/links/")));
    // The same to the byte when it is made anew, ids and times as well.
    let anew = bench.fresh().await;
    assert_eq!(std::fs::read_to_string(anew.path().join("feed.atom")).unwrap(), bench.read("feed.atom"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_address_links_lead_to_files() {
    let bench = Bench::new("pub_files").without("LIFESTREAM_FEED_URL");
    let publisher = bench.publisher();
    let (subject, event) = bench.link(&Link::new("https://example.org/", "Title")).await;
    let fact = bench.publish(&publisher, &subject, event).await.unwrap();
    let path = url::Url::parse(fact.payload["url"].as_str().unwrap()).unwrap().to_file_path().unwrap();
    assert!(std::fs::read_to_string(path).unwrap().contains("Title"));
    assert!(atom(&bench.read("feed.atom")).links.iter().all(|link| link.href.starts_with("file:///")));
}
