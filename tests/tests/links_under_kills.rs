//! Hundreds of links flow through (two thousand in `make chaos`) while router and agents are killed at random; then a new
//! version of the fetcher does all of it again. Prints its seed; `CHAOS_SEED=…` runs the same kills.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use lifestream_tests::{Dice, Kafka, Pipeline, Postgres, Program, eventually};

/// A short form for every change, and a long one.
static LINKS: LazyLock<usize> = LazyLock::new(|| if std::env::var_os("CHAOS_MINUTES").is_some() { 2_000 } else { 600 });
const HOSTS: usize = 40;
/// Long enough for a busy machine; a pipeline that is stuck is stuck for good.
const SETTLED: Duration = Duration::from_secs(300);

/// What the fault is with a link, by its number.
fn fault(link: usize) -> Fault {
    match link % 100 {
        7 | 57 => Fault::Missing,
        13 => Fault::Broken,
        23 | 73 => Fault::HealsAtSecondTry,
        _ => Fault::None,
    }
}

#[derive(PartialEq, Eq)]
enum Fault {
    None,
    Missing,
    Broken,
    HealsAtSecondTry,
}

/// The site: an article at `/<number>`, each with words of its own.
async fn page(Path(link): Path<usize>, State(seen): State<Arc<Mutex<HashSet<usize>>>>) -> Response {
    let broken = (StatusCode::INTERNAL_SERVER_ERROR, "out of order").into_response();
    match fault(link) {
        Fault::Missing => StatusCode::NOT_FOUND.into_response(),
        Fault::Broken => broken,
        Fault::HealsAtSecondTry if seen.lock().unwrap().insert(link) => broken,
        Fault::HealsAtSecondTry | Fault::None => Html(article(link)).into_response(),
    }
}

fn article(link: usize) -> String {
    let topics = ["harbour", "bread", "moss", "clocks", "tides", "ledgers", "starlings", "salt"];
    let (one, two) = (topics[link % 8], topics[link / 8 % 8]);
    let sentence =
        format!("Letter {link} tells of {one} and of {two}, and of the year in which both were found again. ");
    let paragraphs: String = (0..4).map(|_| format!("<p>{}</p>", sentence.repeat(4))).collect();
    format!(
        "<!doctype html><html lang=en><head><title>Letter {link}</title></head><body><article><h1>Letter {link}</h1>{paragraphs}</article></body></html>"
    )
}

/// Serves the site for as long as the test runs.
fn site() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let site = Router::new().route("/{link}", get(page)).with_state(Arc::default());
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), site).await.unwrap();
        });
    });
    address
}

/// What is killed and started again; two of a kind are two members of one group.
const MORTAL: &[&[&str]] = &[
    &["router"],
    &["router"],
    &["agent", "fetcher"],
    &["agent", "fetcher"],
    &["agent", "enricher"],
    &["agent", "publisher"],
];

/// The state that people query, without the marks of when and by which event.
fn state(pipeline: &Pipeline<'_>) -> String {
    let query = |sql: &str| pipeline.database.psql(sql);
    [
        query("SELECT subject_id, url, title, status FROM lifestream.links ORDER BY 1"),
        query("SELECT subject_id, md5(text_content), fetch_error FROM lifestream.link_content ORDER BY 1"),
        query("SELECT subject_id, summary, topic, model FROM lifestream.link_metadata ORDER BY 1"),
        query("SELECT subject_id, tag, origin FROM lifestream.tags ORDER BY 1, 2, 3"),
        query("SELECT subject_id, status, url FROM lifestream.publish_state ORDER BY 1"),
        // Each version of an agent writes its own about the same work.
        query("SELECT DISTINCT subject_id, work_type, status FROM lifestream.dead_letters ORDER BY 1, 2"),
    ]
    .join("\n")
}

#[test]
fn every_link_is_published_once_or_its_reason_is_known_whatever_is_killed() {
    let mut dice = Dice::of("CHAOS_SEED");
    let port = site().port();
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::new("links_under_kills", Postgres::shared(), Kafka::shared())
        .with("LIFESTREAM_FETCH_ALLOW", &format!("*.kills.localhost:{port}"))
        .with("LIFESTREAM_FETCH_INTERVAL", "1ms")
        .with("LIFESTREAM_RETRY_BASE", "300ms")
        .with("LIFESTREAM_RETRY_FACTOR", "2")
        .with("LIFESTREAM_FEED_DIR", folder.path().to_str().unwrap())
        .with("LIFESTREAM_FEED_URL", "https://feed.example.org");
    pipeline.run(&["init"]);
    let count = |sql: &str| pipeline.database.psql(sql).parse::<usize>().unwrap();

    let links = *LINKS;
    let _bridge = pipeline.spawn(&["bridge"]);
    let _materializer = pipeline.spawn(&["materializer"]);
    let mut parts: Vec<Program> = MORTAL.iter().map(|part| pipeline.spawn(part)).collect();
    pipeline.database.psql(&format!(
        "SELECT count(lifestream.emit_event('link.added', 'link', 'link-' || i, \
                jsonb_build_object('url', format('http://h%s.kills.localhost:{port}/%s', i % {HOSTS}, i)))) \
         FROM generate_series(0, {links} - 1) i"
    ));

    // Each time that some more work has been answered, one of the parts is killed.
    let answered = "SELECT count(*) FROM lifestream.events WHERE source LIKE 'agent/%'";
    let settled = "SELECT count(*) FROM lifestream.links l WHERE status IN ('published', 'unfetchable') \
                      OR EXISTS (SELECT FROM lifestream.dead_letters d WHERE d.subject_id = l.subject_id)";
    let start = Instant::now();
    let (mut kills, mut next) = (0, links / 40);
    while count(settled) < links {
        if count(answered) >= next {
            let victim = dice.below(MORTAL.len());
            let replacement = pipeline.spawn(MORTAL[victim]);
            std::mem::replace(&mut parts[victim], replacement).kill9();
            kills += 1;
            next = count(answered) + links / 40 + dice.below(links / 10);
        }
        assert!(start.elapsed() < SETTLED, "{} of {links} links are settled after {kills} kills", count(settled));
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("{links} links settled, {kills} kills, {:.0?}", start.elapsed());
    assert!(kills >= 15, "{kills} kills only");

    // Every link has one of three ends, and none has two.
    let ends = |fault: fn(usize) -> bool| (0..links).filter(|link| fault(*link)).count();
    let status = |status: &str| count(&format!("SELECT count(*) FROM lifestream.links WHERE status = '{status}'"));
    assert_eq!(status("unfetchable"), ends(|link| fault(link) == Fault::Missing));
    assert_eq!(status("published"), ends(|link| matches!(fault(link), Fault::None | Fault::HealsAtSecondTry)));
    assert_eq!(
        count("SELECT count(*) FROM lifestream.dead_letters WHERE status = 'open' AND error <> '' AND attempt = 3"),
        ends(|link| fault(link) == Fault::Broken)
    );
    assert_eq!(
        count("SELECT count(*) FROM lifestream.link_content WHERE fetch_error LIKE '%404%'"),
        status("unfetchable")
    );
    let doubled = |event_type: &str| {
        count(&format!(
            "SELECT count(*) FROM (SELECT FROM lifestream.events WHERE event_type = '{event_type}' GROUP BY subject_id HAVING count(*) > 1) d"
        ))
    };
    for event_type in ["content.fetched", "enrichment.completed", "publish.completed", "work.dead_lettered"] {
        assert_eq!(doubled(event_type), 0, "{event_type}");
    }
    assert_eq!(count("SELECT count(*) FROM lifestream.pending_retries"), 0);
    assert_eq!(count("SELECT count(*) FROM lifestream.parked"), 0);
    let feed = std::fs::read_to_string(folder.path().join("feed.json")).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&feed).unwrap()["items"].as_array().unwrap().len() >= 50);

    // A new version of the fetcher does it all again, and the state ends the same.
    let before = state(&pipeline);
    let v3 = pipeline.spawn(&["agent", "fetcher", "--group", "fetcher-agent-v3"]);
    eventually(SETTLED, "the new version has answered all of its work", || {
        count("SELECT count(*) FROM lifestream.events WHERE event_type = 'content.fetched'")
            >= 2 * (status("published") + status("unfetchable"))
            && count(
                "SELECT count(*) FROM lifestream.consumer_progress WHERE consumer_group LIKE '%fetcher-agent-v3' AND committed = high",
            ) == 3
    });
    eventually(SETTLED, "all of it is routed and materialized", || {
        count("SELECT count(*) FROM lifestream.events") == count("SELECT count(*) FROM lifestream.event_ingest_dedupe")
            && count("SELECT count(*) FROM lifestream.pending_retries") == 0
    });
    assert_eq!(v3.terminate().code(), Some(0));
    pretty_equal(&before, &state(&pipeline));
    for part in parts {
        assert_eq!(part.terminate().code(), Some(0));
    }
}

/// Tells the first lines that differ, not two states of ten thousand lines.
fn pretty_equal(before: &str, after: &str) {
    let differing: Vec<_> = before.lines().zip(after.lines()).filter(|(one, other)| one != other).take(5).collect();
    assert!(differing.is_empty() && before.lines().count() == after.lines().count(), "{differing:#?}");
}
