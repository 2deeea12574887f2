//! The world outside: a web site, an API and a webhook in one, which notes each visit.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::watch;

/// A server of its own for each agent, as long as the test program runs.
pub struct Site {
    pub address: SocketAddr,
    world: Arc<World>,
}

struct World {
    visits: Mutex<HashMap<String, usize>>,
    gate: watch::Sender<bool>,
}

impl World {
    /// Notes the visit, waits at the gate, and says whether it goes well.
    async fn visit(&self, name: &str) -> bool {
        *self.visits.lock().unwrap().entry(name.to_owned()).or_default() += 1;
        if name.starts_with("slow") {
            self.gate.subscribe().wait_for(|open| *open).await.unwrap();
        }
        !name.starts_with("poison")
    }
}

impl Site {
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let world = Arc::new(World { visits: Mutex::default(), gate: watch::Sender::new(true) });
        let router = Router::new()
            .route("/page/{name}", get(page))
            .route("/v1/chat/completions", post(completion))
            .route("/hook", post(hook))
            .with_state(Arc::clone(&world));
        std::thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await.unwrap();
            });
        });
        Self { address, world }
    }

    /// Nothing slow is answered from now on.
    pub fn close(&self) {
        self.world.gate.send_replace(false);
    }

    /// Everything is.
    pub fn open(&self) {
        self.world.gate.send_replace(true);
    }

    /// How often somebody came for this name.
    pub fn visits(&self, name: &str) -> usize {
        self.world.visits.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    /// The text of the page of this name.
    pub fn text(name: &str) -> String {
        format!(
            "This page is about [{name}] and nothing else. {}",
            "Bread is baked from flour, water and salt. ".repeat(12)
        )
    }

    /// The name that a text is about.
    fn named(text: &str) -> String {
        let (_, rest) = text.split_once("about [").expect("a text of this site");
        rest.split(']').next().unwrap().to_owned()
    }
}

async fn page(Path(name): Path<String>, State(world): State<Arc<World>>) -> Response {
    if !world.visit(&name).await {
        return (StatusCode::INTERNAL_SERVER_ERROR, "out of order").into_response();
    }
    let text = Site::text(&name);
    Html(format!(
        "<!doctype html><html lang=en><title>{name}</title><article><h1>{name}</h1><p>{text}</article></html>"
    ))
    .into_response()
}

async fn completion(State(world): State<Arc<World>>, Json(body): Json<Value>) -> Response {
    if !world.visit(&Site::named(&body["messages"].to_string())).await {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let content = r#"{"tags":["bread"],"summary":"How bread is baked.","topic":"Baking"}"#;
    let choice = json!({"message": {"role": "assistant", "content": content}, "finish_reason": "stop"});
    Json(json!({ "choices": [choice] })).into_response()
}

async fn hook(State(world): State<Arc<World>>, Json(body): Json<Value>) -> StatusCode {
    let name = body["data"]["subject_id"].as_str().unwrap().trim_start_matches("link:").to_owned();
    if world.visit(&name).await { StatusCode::NO_CONTENT } else { StatusCode::INTERNAL_SERVER_ERROR }
}
