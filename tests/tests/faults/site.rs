//! A web site that is fetched from: an article under each name, every seventh of which is out of order the first time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

async fn page(Path(number): Path<usize>, State(seen): State<Arc<Mutex<HashSet<usize>>>>) -> Response {
    if number % 7 == 3 && seen.lock().unwrap().insert(number) {
        return (StatusCode::INTERNAL_SERVER_ERROR, "out of order").into_response();
    }
    let text = format!("Page {number} tells of the harbour, of bread and of the tides. ").repeat(8);
    Html(format!(
        "<!doctype html><html lang=en><head><title>Page {number}</title></head><body><article><h1>Page {number}</h1><p>{text}</p></article></body></html>"
    ))
    .into_response()
}

/// Serves it as long as this process runs; gives its port on loopback.
pub fn start() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let site = Router::new().route("/{number}", get(page)).with_state(Arc::default());
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), site).await.unwrap();
        });
    });
    port
}
