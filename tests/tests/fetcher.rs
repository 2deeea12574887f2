//! The fetcher as a program, with the real database and the real Kafka: work in, facts out, and a refetch that asks first.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use lifestream_envelope::work::Work;
use lifestream_tests::{Kafka, Pipeline, Postgres, eventually_async};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(60);

/// A site with one page; each request's path and `If-None-Match` are noted.
async fn site() -> (u16, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let app = Router::new().fallback(move |uri: Uri, headers: HeaderMap| {
        let asked = headers.get("if-none-match").map_or("", |value| value.to_str().unwrap()).to_owned();
        noted.lock().unwrap().push(format!("{} {asked}", uri.path()).trim().to_owned());
        async move {
            match (uri.path(), asked.as_str()) {
                ("/page", "\"v1\"") => StatusCode::NOT_MODIFIED.into_response(),
                ("/page", _) => {
                    let headers = [("content-type", "text/html; charset=utf-8"), ("etag", "\"v1\"")];
                    (headers, "<html lang=en><title>A page</title><p>Its text.\0</p>").into_response()
                }
                _ => StatusCode::NOT_FOUND.into_response(),
            }
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (port, seen)
}

/// Puts work on the topic, as the router does.
async fn ask(pipeline: &Pipeline<'_>, subject: &str, url: &str) {
    let text = serde_json::json!({
        "id": Uuid::new_v4(), "subject": "link", "subject_id": subject, "work_type": "fetch_link", "correlation_id": null,
        "triggered_by_event_id": Uuid::new_v4(), "attempt": 1, "max_attempts": 3, "created_at": "2026-01-01T00:00:00Z",
        "not_before": null, "last_error": null, "payload": { "url": url },
    })
    .to_string();
    Work::parse(text.as_bytes()).unwrap();
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", pipeline.kafka.brokers()).create().unwrap();
    let topic = format!("{}{}", pipeline.prefix, Work::topic("fetch_link"));
    producer.send(FutureRecord::to(&topic).key(subject).payload(&text), SOON).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_fetched_and_asked_about_before_it_is_fetched_again() {
    let (port, seen) = site().await;
    let allow = format!("site.localhost:{port}");
    let pipeline = Pipeline::new("fetcher", Postgres::shared(), Kafka::shared())
        .with("LIFESTREAM_FETCH_ALLOW", &allow)
        .with("LIFESTREAM_FETCH_INTERVAL", "1ms");
    pipeline.run(&["init"]);
    let parts = [&["bridge"][..], &["materializer"], &["agent", "fetcher"]].map(|part| pipeline.spawn(part));
    let facts = |subject: &str| -> Vec<serde_json::Value> {
        let sql = format!(
            "SELECT coalesce(jsonb_agg(payload ORDER BY seq), '[]') FROM lifestream.events \
             WHERE event_type = 'content.fetched' AND subject_id = '{subject}'"
        );
        serde_json::from_str(&pipeline.database.psql(&sql)).unwrap()
    };
    let stored = |what: &str, subject: &str| {
        pipeline.database.psql(&format!(
            "SELECT coalesce((SELECT {what} FROM lifestream.link_content WHERE subject_id = '{subject}'), '')"
        ))
    };

    let url = format!("http://site.localhost:{port}/page");
    ask(&pipeline, "link:page", &url).await;
    ask(&pipeline, "link:missing", &format!("http://site.localhost:{port}/missing")).await;
    ask(&pipeline, "link:inside", "http://127.0.0.1:8081/").await;
    eventually_async(SOON, "the page is stored", || async { stored("text_content", "link:page") == "Its text." }).await;
    eventually_async(SOON, "and why the others are not", || async {
        stored("fetch_error", "link:missing").starts_with("HTTP 404")
            && stored("fetch_error", "link:inside").contains("loopback")
    })
    .await;
    assert_eq!(stored("metadata ->> 'title'", "link:page"), "A page");

    ask(&pipeline, "link:page", &url).await;
    eventually_async(SOON, "it is fetched again", || async { facts("link:page").len() == 2 }).await;
    let facts = facts("link:page");
    assert_eq!(facts[0], facts[1]);
    let seen = seen.lock().unwrap().clone();
    println!("{seen:?}");
    assert_eq!(seen.iter().filter(|path| path.starts_with("/page")).collect::<Vec<_>>(), ["/page", "/page \"v1\""]);
    assert_eq!(seen.iter().filter(|path| *path == "/robots.txt").count(), 1);
    for part in parts {
        assert_eq!(part.terminate().code(), Some(0));
    }
}
