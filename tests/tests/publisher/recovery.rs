//! Folders that were lost, left half done, shared, or hold what is not ours.

use crate::bench::{Bench, Link};
use crate::tree::{assert_same, files, mentions};

async fn some(bench: &Bench, publisher: &lifestream_agents::publisher::Publisher, count: usize) -> Vec<String> {
    let mut subjects = Vec::new();
    for n in 0..count {
        let (url, title) = (format!("https://example.org/{n}"), format!("Title {n}"));
        let tag = format!("tag{}", n % 3);
        let (subject, event) = bench.link(&Link { found: vec![&tag], ..Link::new(&url, &title) }).await;
        bench.publish(publisher, &subject, event).await.unwrap();
        subjects.push(subject);
    }
    subjects
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_was_lost_is_made_anew() {
    let bench = Bench::new("pub_lost");
    let publisher = bench.publisher();
    some(&bench, &publisher, 5).await;
    let before = files(bench.folder.path());
    for entry in std::fs::read_dir(bench.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
    }
    bench.publisher().refresh(&bench.shared).await.unwrap();
    assert_eq!(files(bench.folder.path()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_half_done_is_made_good() {
    let bench = Bench::new("pub_crash");
    let publisher = bench.publisher();
    let subjects = some(&bench, &publisher, 5).await;
    // The files of the next publication are there, what it noted of them is not: a crash between the two.
    let noted = std::fs::read(bench.path(".lifestream/journal")).unwrap();
    let anew = serde_json::json!({"tags": ["elsewhere"], "summary": "Newer.", "topic": null, "model": null});
    let event = bench.fact("enrichment.completed", &subjects[1], "", anew).await;
    bench.publish(&publisher, &subjects[1], event).await.unwrap();
    let removed = bench.fact("link.removed", &subjects[2], "", serde_json::json!({})).await;
    bench.publish(&publisher, &subjects[2], removed).await.unwrap();
    std::fs::write(bench.path(".lifestream/journal"), &noted).unwrap();
    // The crash before it: the files are not there either. Both starts end the same.
    std::fs::write(bench.path("index.html"), "half a pa").unwrap();
    std::fs::write(bench.path(".lifestream/writing"), "half a pa").unwrap();
    bench.publisher().refresh(&bench.shared).await.unwrap();
    assert_same(bench.folder.path(), bench.fresh().await.path());
    assert!(!bench.path("tags/tag2/index.html").exists() && bench.path("tags/elsewhere/index.html").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_journal_leaves_no_page_behind() {
    let bench = Bench::new("pub_journal");
    let publisher = bench.publisher();
    let subjects = some(&bench, &publisher, 4).await;
    std::fs::write(bench.path("tags/notes.txt"), "mine").unwrap();
    std::fs::write(bench.path("tags/tag2/mine.html"), "<h1>mine</h1>").unwrap();
    std::fs::write(bench.path("about.html"), "mine").unwrap();
    // Removed while nobody looks, and nothing is known of what is in the folder.
    bench.fact("link.removed", &subjects[2], "", serde_json::json!({})).await;
    std::fs::write(bench.path(".lifestream/journal"), "no journal\n").unwrap();
    bench.publisher().refresh(&bench.shared).await.unwrap();
    assert!(mentions(bench.folder.path(), &["Title 2"]).is_empty());
    for path in ["tags/notes.txt", "tags/tag2/mine.html", "about.html"] {
        assert!(std::fs::remove_file(bench.path(path)).is_ok(), "{path} is not ours to take away");
    }
    std::fs::remove_dir(bench.path("tags/tag2")).unwrap();
    assert_same(bench.folder.path(), bench.fresh().await.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_publishers_on_one_folder_write_one_site() {
    let bench = Bench::new("pub_two");
    let (one, two) = (bench.publisher(), bench.publisher());
    one.refresh(&bench.shared).await.unwrap();
    two.refresh(&bench.shared).await.unwrap();
    let mut works = Vec::new();
    for n in 0..40 {
        let (url, title) = (format!("https://example.org/{n}"), format!("Title {n}"));
        works.push(bench.link(&Link::new(&url, &title)).await);
    }
    let publish = |n: usize| bench.publish(if n.is_multiple_of(2) { &one } else { &two }, &works[n].0, works[n].1);
    for fact in futures_util::future::join_all((0..40).map(publish)).await {
        fact.unwrap();
    }
    assert_same(bench.folder.path(), bench.fresh().await.path());
    // Each takes out what the other put in.
    for (n, (subject, _)) in works.iter().enumerate().take(6) {
        let removed = bench.fact("link.removed", subject, "", serde_json::json!({})).await;
        bench.publish(if n.is_multiple_of(2) { &two } else { &one }, subject, removed).await.unwrap();
    }
    assert_same(bench.folder.path(), bench.fresh().await.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_title_is_on_every_page_after_a_start() {
    let bench = Bench::new("pub_title");
    some(&bench, &bench.publisher(), 3).await;
    let bench = bench.with("LIFESTREAM_FEED_TITLE", "Reading <list>");
    bench.publisher().refresh(&bench.shared).await.unwrap();
    let pages = files(bench.folder.path()).into_iter().filter(|(path, _)| path.ends_with(".html"));
    for (path, bytes) in pages {
        assert!(String::from_utf8(bytes).unwrap().contains("Reading &#60;list&#62;"), "{path}");
    }
    assert_same(bench.folder.path(), bench.fresh().await.path());
}
