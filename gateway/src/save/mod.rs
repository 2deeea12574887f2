//! `/save`: the small page that a bookmarklet opens.
//!
//! A page somewhere on the web may forbid scripts to speak to anybody but its own server, but not a link that is opened in a
//! window of its own. There the page below speaks to the gateway that it came from. The token is typed once and kept by the
//! browser for this origin alone; it stands in no URL. Nothing is sent before the button is pressed, nor while the page
//! is framed, so that no other site saves links by opening windows.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Redirect};

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("save.js");
const STYLE: &str = include_str!("save.css");

/// Scripts, styles and requests of this origin only; in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The page, the same for everyone: what it shows of its URL, its script puts in as text.
pub async fn page() -> impl IntoResponse {
    let headers: [(HeaderName, HeaderValue); 4] = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        // Whoever opened the window gets no hold of it.
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    ];
    (headers, PAGE)
}

/// Whoever types the gateway's address finds the page that explains it.
pub async fn home() -> Redirect {
    Redirect::temporary("/save")
}

/// What the page does.
pub async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"))], SCRIPT)
}

/// How it looks.
pub async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"))], STYLE)
}
