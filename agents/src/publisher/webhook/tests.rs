#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap as Headers;
use axum::response::IntoResponse;
use lifestream_envelope::settings::Settings;

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a receiver heard, and what it answers next.
#[derive(Default)]
struct Heard {
    posts: Vec<(Headers, String)>,
    answers: Vec<(u16, Option<&'static str>)>,
}

type Shared = Arc<Mutex<Heard>>;

async fn receiver(answers: &[(u16, Option<&'static str>)]) -> (Shared, Webhook) {
    let heard: Shared = Arc::default();
    heard.lock().unwrap().answers = answers.iter().rev().copied().collect();
    let hear = |State(heard): State<Shared>, headers: Headers, body: String| async move {
        let mut heard = heard.lock().unwrap();
        heard.posts.push((headers, body));
        let (status, retry_after) = heard.answers.pop().unwrap_or((204, None));
        let mut answer = axum::http::StatusCode::from_u16(status).unwrap().into_response();
        if let Some(text) = retry_after {
            answer.headers_mut().insert("retry-after", text.parse().unwrap());
        }
        answer.headers_mut().insert("location", "/elsewhere".parse().unwrap());
        answer
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?token=t0ps3cret", listener.local_addr().unwrap());
    let app = Router::new().fallback(hear).with_state(Arc::clone(&heard));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let webhook = Webhook::new(&settings(&[("LIFESTREAM_WEBHOOK_URL", &url), ("LIFESTREAM_WEBHOOK_SECRET", SECRET)]));
    (heard, webhook.unwrap().unwrap())
}

fn settings(pairs: &[(&str, &str)]) -> AgentSettings {
    let environment: BTreeMap<String, String> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let nowhere = tempfile::tempdir().unwrap();
    Settings::load_from(&BTreeMap::new(), environment, nowhere.path()).unwrap().agents
}

#[tokio::test]
async fn it_is_signed_and_its_id_stays() {
    let (heard, webhook) = receiver(&[(200, None), (503, None), (204, None)]).await;
    let id = Uuid::from_u128(7);
    webhook.tell(id, "publish.completed", json!({"url": "https://example.org/"})).await.unwrap();
    assert!(webhook.tell(id, "publish.completed", json!({})).await.is_err());
    assert_eq!(webhook.tell(id, "publish.completed", json!({})).await.unwrap(), Told::Delivered);
    let posts = &heard.lock().unwrap().posts;
    for (headers, body) in posts {
        let header = |name: &str| headers[name].to_str().unwrap();
        assert_eq!((header("webhook-id"), header("content-type")), (id.to_string().as_str(), "application/json"));
        let expected = Key::parse(SECRET).unwrap().sign(&id.to_string(), header("webhook-timestamp"), body);
        assert_eq!(header("webhook-signature"), expected);
    }
    let first: Value = serde_json::from_str(&posts[0].1).unwrap();
    assert_eq!((&first["type"], &first["data"]["url"]), (&json!("publish.completed"), &json!("https://example.org/")));
    first["timestamp"].as_str().unwrap().parse::<Timestamp>().unwrap();
}

#[tokio::test]
async fn whatever_is_not_2xx_may_pass_and_says_when() {
    for (status, retry_after, waits) in [
        (400, None, false),
        (401, None, false),
        (404, None, false),
        (500, None, false),
        (302, None, false),
        (429, Some("120"), true),
        (503, Some("Fri, 01 Jan 2100 00:00:00 GMT"), true),
        (503, Some("soon"), false),
    ] {
        let (heard, webhook) = receiver(&[(status, retry_after)]).await;
        let error = webhook.tell(Uuid::nil(), "publish.completed", json!({})).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&status.to_string()) && !text.contains("t0ps3cret"), "{text}");
        let PublishError::Webhook { not_before, .. } = error else { panic!("{text}") };
        let day = Timestamp::now().checked_add(retry_after::LONGEST).unwrap();
        assert_eq!(not_before.is_some(), waits, "{status} {retry_after:?}");
        assert!(not_before.is_none_or(|at| at > Timestamp::now() && at <= day), "{not_before:?}");
        assert_eq!(heard.lock().unwrap().posts.len(), 1, "no redirect is followed");
    }
}

#[tokio::test]
async fn whoever_says_gone_is_told_no_more() {
    let (heard, webhook) = receiver(&[(410, None)]).await;
    for _ in 0..2 {
        assert_eq!(webhook.tell(Uuid::nil(), "publish.completed", json!({})).await.unwrap(), Told::Gone);
    }
    assert_eq!(heard.lock().unwrap().posts.len(), 1);
}

#[tokio::test]
async fn nobody_there_is_an_error_without_the_urls_secret() {
    let url = ("LIFESTREAM_WEBHOOK_URL", "http://127.0.0.1:1/hook?token=t0ps3cret");
    let webhook = Webhook::new(&settings(&[url, ("LIFESTREAM_WEBHOOK_SECRET", SECRET)])).unwrap().unwrap();
    let text = webhook.tell(Uuid::nil(), "publish.completed", json!({})).await.unwrap_err().to_string();
    assert!(text.starts_with("webhook 127.0.0.1:1: ") && !text.contains("t0ps3cret"), "{text}");
}

#[test]
fn url_and_secret_belong_together() {
    let url = ("LIFESTREAM_WEBHOOK_URL", "https://example.org/hook");
    for (pairs, expected) in [
        (vec![url], "LIFESTREAM_WEBHOOK_SECRET is needed"),
        (vec![("LIFESTREAM_WEBHOOK_SECRET", SECRET)], "LIFESTREAM_WEBHOOK_URL is needed"),
        (vec![url, ("LIFESTREAM_WEBHOOK_SECRET", "hunter2")], "LIFESTREAM_WEBHOOK_SECRET is no key"),
    ] {
        let error = Webhook::new(&settings(&pairs)).err().unwrap();
        assert!(
            error.is_setting() && error.to_string().contains(expected) && !error.to_string().contains("hunter2"),
            "{error}"
        );
    }
    assert!(Webhook::new(&settings(&[])).unwrap().is_none());
}
