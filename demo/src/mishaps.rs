//! Pages at which something goes wrong, as it does on the web.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;

use crate::pdf;

/// What a client that reads everything has to take in. No page that somebody reads is so long.
const HUGE: usize = 48 << 20;

/// What happens at a path, in place of its page or before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// The page comes after a wait.
    Slow,
    /// 404.
    Missing,
    /// 410.
    Gone,
    /// 500 at the first try of this process, then the page.
    HealsAtSecondTry,
    /// 500, always.
    NeverHeals,
    /// A body of tens of megabytes, of a length that is not announced.
    Huge,
    /// 302 to the loopback address itself, where a fetcher has no business.
    RedirectsToForbidden,
    /// 301 to another page of the site.
    Moved(&'static str),
    /// A type that is no page.
    Pdf,
}

/// Site, path, what happens. What robots.txt forbids stands in `sites.rs`, the page in Latin-1 says so itself.
pub const MISHAPS: &[(&str, &str, Mishap)] = &[
    ("slow", "/atlas-of-silence", Mishap::Slow),
    ("missing", "/gone", Mishap::Missing),
    ("science", "/retracted-result", Mishap::Gone),
    ("flaky", "/second-knock", Mishap::HealsAtSecondTry),
    ("broken", "/water-clock", Mishap::NeverHeals),
    ("museum", "/collection/everything", Mishap::Huge),
    ("museum", "/plans/ground-floor.pdf", Mishap::Pdf),
    ("tools", "/go/printer", Mishap::RedirectsToForbidden),
    ("wiki", "/Rain_barrel", Mishap::Moved("/Rainwater_harvesting")),
];

/// What happens there, if anything does.
pub fn find(site: &str, path: &str) -> Option<Mishap> {
    MISHAPS.iter().find(|(on, at, _)| (*on, *at) == (site, path)).map(|(_, _, mishap)| *mishap)
}

/// Which paths have been asked for once.
#[derive(Debug, Default)]
pub struct Knocks(Mutex<HashSet<String>>);

impl Knocks {
    /// Whether this is the first time.
    pub fn first(&self, place: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(place.to_owned())
    }
}

/// A redirect.
pub fn redirect(status: StatusCode, to: &str) -> Response {
    (status, [(header::LOCATION, to.to_owned())]).into_response()
}

/// The plan of the ground floor.
pub fn plan() -> Response {
    ([(header::CONTENT_TYPE, "application/pdf")], pdf::one_line("Ground floor. You are here, by the stairs."))
        .into_response()
}

/// A catalogue that somebody put on one page. It ends at some time, for a client that does not.
pub fn catalogue() -> Response {
    const KINDS: [&str; 6] = ["Poster", "Handbill", "Tram ticket", "Map", "Theatre programme", "Seed packet"];
    let head = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>The Complete Catalogue</title></head>\
                <body><h1>The Complete Catalogue, on One Page</h1><ol>\n";
    let mut sent = 0;
    let mut number = 0;
    let rest = std::iter::from_fn(move || {
        if sent >= HUGE {
            return None;
        }
        let mut chunk = String::with_capacity(70 << 10);
        while chunk.len() < 64 << 10 {
            number += 1;
            let kind = KINDS[number % KINDS.len()];
            chunk.push_str(&format!(
                "<li>{kind}, inventory number {number:07}, drawer {}, not on display.</li>\n",
                number / 40
            ));
        }
        sent += chunk.len();
        Some(Bytes::from(chunk))
    });
    let chunks = std::iter::once(Bytes::from_static(head.as_bytes())).chain(rest).map(Ok::<_, Infallible>);
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], Body::from_stream(stream::iter(chunks))).into_response()
}
