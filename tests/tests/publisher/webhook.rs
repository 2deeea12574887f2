//! The webhook: told of what was published, with a fate of its own.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use lifestream_agents::runner::{Agent, Failure};
use lifestream_tests::{Kafka, Pipeline, Postgres, checkout, eventually};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::bench::{Bench, Link, URL};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a receiver got.
#[derive(Clone)]
struct Post {
    /// Those whose names begin with `webhook-`.
    headers: BTreeMap<String, String>,
    body: String,
}

impl Post {
    fn id(&self) -> Uuid {
        self.headers["webhook-id"].parse().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Answers as it is told, and keeps what it got.
struct Receiver {
    url: String,
    heard: Arc<Mutex<Vec<Post>>>,
    answer: Arc<Mutex<(StatusCode, HeaderMap)>>,
}

impl Receiver {
    async fn start() -> Self {
        let (heard, answer): (Arc<Mutex<Vec<Post>>>, _) =
            (Arc::default(), Arc::new(Mutex::new((StatusCode::OK, HeaderMap::new()))));
        let (told, status) = (Arc::clone(&heard), Arc::clone(&answer));
        let app = Router::new().fallback(move |headers: HeaderMap, body: String| async move {
            let text = |name: &axum::http::HeaderName| headers[name].to_str().unwrap().to_owned();
            let names = headers.keys().filter(|name| name.as_str().starts_with("webhook-"));
            let headers = names.map(|name| (name.to_string(), text(name))).collect();
            told.lock().unwrap().push(Post { headers, body });
            status.lock().unwrap().clone()
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, heard, answer }
    }

    fn answer(&self, status: StatusCode, headers: &[(&'static str, &str)]) {
        let headers = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect();
        *self.answer.lock().unwrap() = (status, headers);
    }

    fn heard(&self) -> Vec<Post> {
        self.heard.lock().unwrap().clone()
    }
}

/// What the route makes of a fact.
fn payload(bench: &Bench, event: Uuid) -> Value {
    let payload = format!("SELECT lifestream.publish_payload(e) FROM lifestream.events e WHERE id = '{event}'");
    serde_json::from_str(&bench.psql(&payload)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_published_whatever_the_webhook_does_and_only_the_telling_is_tried_again() {
    let receiver = Receiver::start().await;
    receiver.answer(StatusCode::SERVICE_UNAVAILABLE, &[("retry-after", "60")]);
    let bench = Bench::new("pub_webhook")
        .with("LIFESTREAM_WEBHOOK_URL", &receiver.url)
        .with("LIFESTREAM_WEBHOOK_SECRET", SECRET);
    let publisher = bench.publisher();
    let (first, event) = bench.link(&Link::new("https://example.org/1", "First")).await;
    let fact = bench.publish(&publisher, &first, event).await.unwrap();
    assert_eq!((fact.event_type, receiver.heard().len()), ("publish.completed", 0));
    assert!(bench.read("index.html").contains("First"));

    let published = bench.fact(fact.event_type, &first, "", fact.payload.clone()).await;
    let work = bench.work(&first, published, payload(&bench, published));
    assert!(publisher.lane(&work).is_some_and(|lane| receiver.url.contains(&lane.name)));
    assert!(publisher.lane(&bench.work(&first, event, payload(&bench, event))).is_none(), "links wait for nobody");
    let publications = publisher.publications();
    let failure = bench.handle(&publisher, &work).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Passing { error, not_before: Some(_), .. } if error.starts_with("webhook ") && error.contains("503")),
        "{failure:?}"
    );
    // A link that is removed meanwhile goes: its work does not stand behind the webhook.
    let removed = bench.fact("link.removed", &first, "", json!({})).await;
    let retracted = bench.publish(&publisher, &first, removed).await.unwrap();
    assert_eq!(retracted.event_type, "publish.retracted");
    assert!(!bench.read("index.html").contains("First"));

    receiver.answer(StatusCode::NO_CONTENT, &[]);
    let told = bench.handle(&publisher, &work).await.unwrap();
    assert_eq!((told.event_type, publisher.publications()), ("webhook.delivered", publications + 1), "{told:?}");
    let event = bench.fact(retracted.event_type, &first, "", retracted.payload).await;
    bench.handle(&publisher, &bench.work(&first, event, payload(&bench, event))).await.unwrap();
    let heard = receiver.heard();
    assert_eq!(heard.iter().map(Post::id).collect::<Vec<_>>(), [published, published, event], "the fact's own id");
    let data = json!({"subject_id": first, "tenant_id": "", "url": fact.payload["url"], "title": "First",
        "external_url": "https://example.org/1", "tags": ["reading", "rust"]});
    assert_eq!((&heard[1].json()["type"], &heard[1].json()["data"]), (&json!("publish.completed"), &data));
    let data = json!({"subject_id": first, "tenant_id": "", "url": null});
    assert_eq!((&heard[2].json()["type"], &heard[2].json()["data"]), (&json!("publish.retracted"), &data));

    receiver.answer(StatusCode::GONE, &[]);
    assert_eq!(bench.handle(&publisher, &work).await.unwrap().event_type, "webhook.gone");
    let alone = bench.without("LIFESTREAM_WEBHOOK_URL").without("LIFESTREAM_WEBHOOK_SECRET");
    let failure = alone.handle(&alone.publisher(), &work).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Permanent { error } if error.contains("LIFESTREAM_WEBHOOK_URL is not set")),
        "{failure:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_down_costs_no_publication_and_hears_of_it_later() {
    let receiver = Receiver::start().await;
    receiver.answer(StatusCode::BAD_GATEWAY, &[]);
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::new("pub_webhook_down", Postgres::shared(), Kafka::shared())
        .with("LIFESTREAM_FEED_DIR", folder.path().to_str().unwrap())
        .with("LIFESTREAM_FEED_URL", URL)
        .with("LIFESTREAM_WEBHOOK_URL", &receiver.url)
        .with("LIFESTREAM_WEBHOOK_SECRET", SECRET)
        .with("LIFESTREAM_RETRY_BASE", "100ms")
        .with("LIFESTREAM_RETRY_FACTOR", "1");
    pipeline.run(&["init"]);
    let parts: Vec<_> = [&["bridge"][..], &["router"], &["materializer"], &["agent", "publisher"]]
        .into_iter()
        .map(|part| pipeline.spawn(part))
        .collect();
    pipeline.database.psql(
        "SELECT lifestream.emit_event('link.added', 'link', 'link:1', '{\"url\": \"https://example.org/1\"}');
         SELECT lifestream.emit_event('enrichment.completed', 'link', 'link:1', '{\"tags\": [\"a\"], \"summary\": \"S\"}')",
    );
    let soon = Duration::from_secs(120);
    let count = |sql: &str| pipeline.database.psql(&format!("SELECT count(*) FROM lifestream.{sql}"));
    eventually(soon, "it is published", || count("links WHERE status = 'published'") == "1");
    let failed = "events WHERE event_type = 'work.failed' AND payload ->> 'error' LIKE 'webhook % answered 502%'";
    // More often than other work is tried at all.
    eventually(soon, "the telling fails, and says so", || count(failed).parse::<usize>().unwrap() > 3);
    receiver.answer(StatusCode::OK, &[]);
    eventually(soon, "it is told", || count("events WHERE event_type = 'webhook.delivered'") == "1");
    assert_eq!(count("events WHERE event_type = 'publish.completed'"), "1");
    assert_eq!(count("dead_letters"), "0");
    let ids: std::collections::BTreeSet<Uuid> = receiver.heard().iter().map(Post::id).collect();
    let fact = pipeline.database.psql("SELECT id FROM lifestream.events WHERE event_type = 'publish.completed'");
    assert_eq!(ids.into_iter().map(|id| id.to_string()).collect::<Vec<_>>(), [fact]);
    for part in parts {
        assert_eq!(part.terminate().code(), Some(0));
    }
}

/// The code that docs/publisher.md shows takes what is sent, and nothing that was changed on its way.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_verification_takes_what_is_sent_and_nothing_else() {
    let receiver = Receiver::start().await;
    let bench = Bench::new("pub_webhook_docs")
        .with("LIFESTREAM_WEBHOOK_URL", &receiver.url)
        .with("LIFESTREAM_WEBHOOK_SECRET", SECRET);
    let publisher = bench.publisher();
    let (link, event) = bench.link(&Link::new("https://example.org/1", "Überschrift \u{1f980}")).await;
    let fact = bench.publish(&publisher, &link, event).await.unwrap();
    let event = bench.fact(fact.event_type, &link, "", fact.payload).await;
    bench.handle(&publisher, &bench.work(&link, event, payload(&bench, event))).await.unwrap();
    let Post { headers, body } = receiver.heard().remove(0);

    let page = std::fs::read_to_string(checkout::root().join("docs/publisher.md")).unwrap();
    let (_, code) = page.split_once("```python\n").unwrap();
    let (code, _) = code.split_once("```").unwrap();
    let driver = "import json, sys\nfor post in json.load(sys.stdin):\n    \
        print(verify(post['secret'], post['headers'], post['body'].encode()))\n";
    let post = |headers: &BTreeMap<String, String>, body: &str, secret: &str| json!({"headers": headers, "body": body, "secret": secret});
    let mut old = headers.clone();
    old.insert("webhook-timestamp".to_owned(), "1000000000".to_owned());
    let other = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let posts = json!([
        post(&headers, &body, SECRET),
        post(&headers, &body.replace("example.org/1", "example.org/2"), SECRET),
        post(&headers, &body, other),
        post(&old, &body, SECRET),
    ]);
    let mut python = Command::new("python3")
        .args(["-c", &format!("{code}\n{driver}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(posts.to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "True\nFalse\nFalse\nFalse\n");
}
