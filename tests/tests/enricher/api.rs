//! A local server of the API, which remembers what each key's owner asked.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

/// A key that the API does not take; it says so with the key in its words, as some do.
pub const WRONG_KEY: &str = "sk-wrong-and-nobody-may-see-it";

/// A question: by whom, and all that the model was told.
#[derive(Debug, Clone)]
pub struct Asked {
    pub key: String,
    pub told: String,
}

#[derive(Clone)]
pub struct Api {
    pub base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Api {
    /// Answers every question well, for as long as the test program runs.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let router = Router::new().route("/v1/chat/completions", post(answer)).with_state(Arc::clone(&asked));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base, asked }
    }

    /// What the owner of this key has asked, in order.
    pub fn asked(&self, key: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|asked| asked.key == key).cloned().collect()
    }
}

async fn answer(
    State(asked): State<Arc<Mutex<Vec<Asked>>>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let key = headers["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
    let messages = body["messages"].as_array().unwrap();
    let told: Vec<&str> = messages.iter().filter_map(|message| message["content"].as_str()).collect();
    asked.lock().unwrap().push(Asked { key: key.clone(), told: told.join("\n") });
    if key == WRONG_KEY {
        let error = json!({"message": format!("Incorrect API key provided: {key}."), "code": "invalid_api_key"});
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": error })));
    }
    let content = r#"{"tags":["bread"],"summary":"How bread is baked.","topic":"Baking"}"#;
    let choice = json!({"message": {"role": "assistant", "content": content}, "finish_reason": "stop"});
    (StatusCode::OK, Json(json!({ "choices": [choice] })))
}
