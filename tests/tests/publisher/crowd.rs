//! Ten thousand links, and what one more costs.

use std::time::Instant;

use lifestream_tests::eventually;

use crate::bench::{Bench, Link, SOON};
use crate::tree::{assert_same, inodes};

/// Straight into the state: links over two years, some thousand of them in one moment, with some of 400 tags.
const MANY: &str = "
INSERT INTO lifestream.links (subject_id, tenant_id, url, title, stage, status, added_at, first_seq, added_seq)
SELECT 'link:' || n, '', 'https://example.org/' || n, 'Link number ' || n, 5, 'published',
       CASE WHEN n % 3 = 0 THEN timestamptz '2025-06-01 12:00Z' ELSE timestamptz '2024-01-01Z' + n * interval '1.9 hours' END, n, n
FROM generate_series(1, 10000) AS n;
INSERT INTO lifestream.link_metadata (subject_id, tenant_id, summary, topic, model, enriched_at, seq)
SELECT subject_id, '', repeat('A summary of some words. ', 12), 'things', 'local', added_at, first_seq FROM lifestream.links;
INSERT INTO lifestream.tags (subject_id, tag, origin, tenant_id, seq, last_seq)
SELECT DISTINCT 'link:' || n, tag, 'enricher', '', n, n FROM generate_series(1, 10000) AS n,
    LATERAL (VALUES ('common'), ('tag' || n % 7), ('tag' || n % 400), ('half' || n % 2)) AS t (tag);
ANALYZE";

/// Rows that the publisher's session has read so far.
async fn rows_read(bench: &Bench) -> i64 {
    let client = bench.shared.client().await.unwrap();
    client.query_one("SELECT pg_stat_force_next_flush()", &[]).await.unwrap();
    let sql = "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int8 FROM pg_stat_user_tables WHERE schemaname = 'lifestream'";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_link_joins_ten_thousand() {
    let bench = Bench::new("pub_crowd");
    bench.psql(MANY);
    let publisher = bench.publisher();
    let start = Instant::now();
    let done = publisher.refresh(&bench.shared).await.unwrap();
    println!("a folder of ten thousand links from nothing: {} files in {:.1?}", done.written, start.elapsed());
    assert!(done.written > 10_000, "{done:?}");
    let before = inodes(bench.folder.path());

    let link = Link {
        tags: vec!["common", "half1"],
        found: vec!["tag3", "tag399", "brand-new"],
        ..Link::new("https://example.org/new", "The new one")
    };
    let (subject, event) = bench.link(&link).await;
    let read = rows_read(&bench).await;
    let start = Instant::now();
    bench.publish(&publisher, &subject, event).await.unwrap();
    let took = start.elapsed();
    let read = rows_read(&bench).await - read;
    let after = inodes(bench.folder.path());
    let written = after.iter().filter(|(path, inode)| before.get(*path) != Some(inode)).count();
    println!("one link among {}: {written} files written of {}, {read} rows read, {took:.0?}", 10_001, after.len());
    assert!((10..=40).contains(&written), "{written}");
    assert!(read < 5_000, "{read}");

    let removed = bench.fact("link.removed", &subject, "", serde_json::json!({})).await;
    bench.publish(&publisher, &subject, removed).await.unwrap();
    let back = inodes(bench.folder.path());
    assert_eq!(back.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());

    // Started anew, it finds nothing to write.
    let done = bench.publisher().refresh(&bench.shared).await.unwrap();
    assert_eq!((done.written, done.removed), (0, 0), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn works_under_way_share_one_rewriting() {
    let bench = Bench::new("pub_together");
    let publisher = bench.publisher();
    publisher.refresh(&bench.shared).await.unwrap();
    let mut works = Vec::new();
    for n in 0..60 {
        let url = format!("https://example.org/{n}");
        works.push(bench.link(&Link::new(&url, "Together")).await);
    }
    let before = publisher.publications();
    let all = works.iter().map(|(subject, event)| bench.publish(&publisher, subject, *event));
    for fact in futures_util::future::join_all(all).await {
        assert_eq!(fact.unwrap().event_type, "publish.completed");
    }
    let publications = publisher.publications() - before;
    println!("{} works at the same time: {publications} publications", works.len());
    assert!((1..=15).contains(&publications), "{publications}");
    assert_same(bench.folder.path(), bench.fresh().await.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_broken_off_holds_nobody_up() {
    let bench = Bench::new("pub_broken_off");
    let publisher = bench.publisher();
    let (subject, event) = bench.link(&Link::new("https://example.org/", "Title")).await;
    // Somebody else has the folder: the first waits for it, with the second's work in hand, and is given up.
    let other = bench.publisher();
    other.refresh(&bench.shared).await.unwrap();
    let lock = std::fs::File::options().append(true).open(bench.path(".lifestream/lock")).unwrap();
    lock.lock().unwrap();
    let mut first = Box::pin(bench.publish(&publisher, &subject, event));
    let mut second = Box::pin(bench.publish(&publisher, &subject, event));
    let asked = publisher.publications();
    while publisher.publications() == asked {
        assert!(futures_util::poll!(first.as_mut()).is_pending() && futures_util::poll!(second.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    drop(first);
    lock.unlock().unwrap();
    assert_eq!(second.await.unwrap().event_type, "publish.completed");
    eventually(SOON, "it is published", || bench.read("index.html").contains("Title"));
}
