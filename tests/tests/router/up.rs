//! Everything in one process: `lifestream up`.

use axum::Router;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;
use lifestream_tests::Program;
use serde_json::json;

use crate::bench::Bench;

const ARTICLE: &str = "<html lang=en><head><title>Outbox</title></head><body><article><h1>The outbox</h1>
    <p>An event that is written in the transaction of the change that it tells of is never lost, and never told in vain.</p>
    <p>A process beside the database reads the table of events and publishes them, one after the other, in their order.</p>
    </article></body></html>";

/// Pages for links, on a port of its own.
async fn site() -> u16 {
    let pages = Router::new()
        .route("/article", get(async || Html(ARTICLE)))
        .route("/broken", get(async || StatusCode::INTERNAL_SERVER_ERROR));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, pages).await });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn up_until_idle_goes_round_until_nothing_moves_and_awaits_no_retry() {
    let bench = Bench::new("router_up").await;
    let port = site().await;
    let mut environment = bench.pipeline.environment();
    environment.push(("LIFESTREAM_FETCH_ALLOW".to_owned(), format!("127.0.0.1:{port}")));
    environment.push(("LIFESTREAM_FETCH_INTERVAL".to_owned(), "1ms".to_owned()));
    environment.push(("LIFESTREAM_RETRY_BASE".to_owned(), "1h".to_owned()));
    for page in ["article", "broken", "missing"] {
        bench.emit("link.added", &format!("link:{page}"), &json!({ "url": format!("http://127.0.0.1:{port}/{page}") }));
    }
    let up = Program::run_with(&["up", "--until-idle"], &environment, b"");
    assert_eq!(up.status.code(), Some(0), "{}", up.stderr);
    let links = bench.psql("SELECT subject_id, status FROM lifestream.links ORDER BY subject_id");
    assert_eq!(links, "link:article|enriched\nlink:broken|added\nlink:missing|unfetchable");
    let waiting = "SELECT subject_id, attempt, not_before > now() FROM lifestream.pending_retries";
    assert_eq!(bench.psql(waiting), "link:broken|2|t");
    assert_eq!(bench.psql("SELECT count(*) FROM lifestream.unpublished_events"), "0");
    for part in ["no publisher: LIFESTREAM_FEED_DIR", "no gateway: LIFESTREAM_GATEWAY_TOKENS_FILE"] {
        assert_eq!(up.stderr.matches(part).count(), 1, "{}", up.stderr);
    }
    // Nothing to do: nothing is done.
    let events = bench.count("lifestream.events");
    let up = Program::run_with(&["up", "--until-idle"], &environment, b"");
    assert_eq!((up.status.code(), bench.count("lifestream.events")), (Some(0), events), "{}", up.stderr);
}
