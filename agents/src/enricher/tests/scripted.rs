//! A local server of the API whose answers are scripted.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Asked {
    /// All that the model is told.
    pub fn told(&self) -> String {
        self.messages().into_iter().map(|(_, content)| content).collect::<Vec<_>>().join("\n\n")
    }

    /// Role and content of each message.
    pub fn messages(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let messages = self.body["messages"].as_array().unwrap();
        messages.iter().map(|message| (text(&message["role"]), text(&message["content"]))).collect()
    }
}

/// What the script does with a request.
pub enum Act {
    /// 200 with this text of the model.
    Say(String),
    /// This status, with headers and a body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The beginning of an answer, and then nothing for ever.
    Stall,
    /// Nothing at all.
    Hang,
}

pub struct Server {
    /// For `OPENAI_BASE_URL`.
    pub base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _stops: DropGuard,
}

impl Server {
    /// Acts by the script, which is told the number of the request, from 0, and the request.
    pub async fn start(script: impl Fn(usize, &Asked) -> Act + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (seen, script) = (Arc::clone(&asked), Arc::new(script));
        let handle = move |request: Request| {
            let (seen, script) = (Arc::clone(&seen), Arc::clone(&script));
            async move {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, usize::MAX).await.unwrap();
                let body = serde_json::from_slice(&body).unwrap_or_default();
                let one = Asked { path: parts.uri.to_string(), headers: parts.headers, body };
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(one.clone());
                    seen.len() - 1
                };
                act(script(number, &one)).await
            }
        };
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            tokio::select! {
                served = axum::serve(listener, Router::new().fallback(handle)) => served.unwrap(),
                () = stopped => {}
            }
        });
        Self { base, asked, _stops: stop.drop_guard() }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn act(act: Act) -> Response {
    let (status, headers, body) = match act {
        Act::Say(text) => (200, vec![], Body::from(completion(&text))),
        Act::Answer(status, headers, body) => (status, headers, Body::from(body)),
        Act::Stall => {
            let beginning = futures_util::stream::once(async { Ok::<_, std::io::Error>("{\"choices\":[") });
            let stream = futures_util::StreamExt::chain(beginning, futures_util::stream::pending());
            (200, vec![], Body::from_stream(stream))
        }
        Act::Hang => std::future::pending().await,
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body).unwrap()
}

/// A chat completion with this text.
pub fn completion(text: &str) -> String {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "model": "whatever",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"total_tokens": 7},
    })
    .to_string()
}
