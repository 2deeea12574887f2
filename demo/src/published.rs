//! The site that the publisher writes, shown as it lies in its folder.

use std::io::ErrorKind;
use std::path::PathBuf;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use tower_http::services::ServeDir;

const NOTHING_YET: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Nothing yet</title>\
    <style>body{font:1.1rem/1.5 system-ui;max-width:34rem;margin:4rem auto;padding:0 1rem;color-scheme:light dark}</style>\
    <h1>Nothing is published yet</h1><p>The publisher writes this site when the first link has been fetched and enriched. \
    <code>lifestream status</code> says how far the pipeline is.</p></html>";

/// Answers with a file of the folder.
pub async fn show(folder: Option<&PathBuf>, request: Request) -> Response {
    let at_root = request.uri().path() == "/";
    let Some(folder) = folder else { return nothing_yet() };
    // What the publisher keeps for itself there is not for readers.
    let path = request.uri().path().to_ascii_lowercase();
    if ["/.", "%2e", "%2f"].iter().any(|hidden| path.contains(hidden)) {
        return not_published();
    }
    match ServeDir::new(folder).try_call(request).await {
        Ok(found) => {
            let mut response = found.map(Body::new);
            // What is published changes under its name.
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            response
        }
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("{}: {error}\n", folder.display())).into_response()
        }
        Err(_) if at_root => nothing_yet(),
        Err(_) => not_published(),
    }
}

fn not_published() -> Response {
    (StatusCode::NOT_FOUND, "Nothing of that name is published.\n").into_response()
}

fn nothing_yet() -> Response {
    (StatusCode::NOT_FOUND, Html(NOTHING_YET)).into_response()
}
