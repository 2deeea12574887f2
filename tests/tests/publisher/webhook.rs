//! The webhook, as a part of publishing.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use lifestream_agents::runner::{Agent, Failure};
use serde_json::{Value, json};

use crate::bench::{Bench, Link, work};
use crate::tree::mentions;

type Heard = Arc<Mutex<Vec<(String, Value)>>>;
type Answer = Arc<Mutex<StatusCode>>;

async fn receiver() -> (String, Heard, Answer) {
    let (heard, answer): (Heard, Answer) = (Arc::default(), Arc::new(Mutex::new(StatusCode::OK)));
    let (told, status) = (Arc::clone(&heard), Arc::clone(&answer));
    let app = Router::new().fallback(move |headers: axum::http::HeaderMap, body: String| async move {
        let id = headers["webhook-id"].to_str().unwrap().to_owned();
        assert!(headers["webhook-signature"].to_str().unwrap().starts_with("v1,"));
        told.lock().unwrap().push((id, serde_json::from_str(&body).unwrap()));
        (*status.lock().unwrap(), [("retry-after", "60")])
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, heard, answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_hears_of_each_publication_and_a_failing_one_holds_no_page_up() {
    let (url, heard, answer) = receiver().await;
    let bench = Bench::new("pub_webhook")
        .with("LIFESTREAM_WEBHOOK_URL", &url)
        .with("LIFESTREAM_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let publisher = bench.publisher();
    let (first, event) = bench.link(&Link::new("https://example.org/1", "First")).await;
    let fact = bench.publish(&publisher, &first, event).await.unwrap();
    bench.publish(&publisher, &first, event).await.unwrap();
    let posts = std::mem::take(&mut *heard.lock().unwrap());
    assert_eq!((posts.len(), &posts[0].0), (2, &posts[1].0), "the same news, the same id");
    assert_eq!((&posts[0].1["type"], &posts[0].1["data"]["url"]), (&json!("publish.completed"), &fact.payload["url"]));
    assert_eq!(posts[0].1["data"]["external_url"], "https://example.org/1");
    assert!(publisher.lane(&work(&first, event)).is_some_and(|lane| url.contains(&lane.name)));

    *answer.lock().unwrap() = StatusCode::SERVICE_UNAVAILABLE;
    let (second, event) = bench.link(&Link::new("https://example.org/2", "Second")).await;
    let failure = bench.publish(&publisher, &second, event).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Passing { error, not_before: Some(_) } if error.contains("503")),
        "{failure:?}"
    );
    assert!(bench.read("index.html").contains("Second"), "the pages are written all the same");

    // The work for a removed link waits for the webhook; whichever work comes next takes it out.
    bench.fact("link.removed", &first, "", json!({})).await;
    bench.publish(&publisher, &second, event).await.unwrap_err();
    assert!(mentions(bench.folder.path(), &["First"]).is_empty());
    *answer.lock().unwrap() = StatusCode::NO_CONTENT;
    assert_eq!(bench.publish(&publisher, &second, event).await.unwrap().event_type, "publish.completed");
}
