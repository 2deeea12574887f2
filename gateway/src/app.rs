//! What the handlers share, and which path leads to which of them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use lifestream_envelope::settings::Settings;
use tokio::sync::{Semaphore, watch};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::body;
use crate::health::{self, LastLook};
use crate::pool::Pool;
use crate::problem::{Kind, Problem, shown};
use crate::shares::Shares;
use crate::token_file::Loaded;
use crate::{events, links, openapi, save};

/// How much at once, how large and how long.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Octets of a body.
    pub body_octets: usize,
    /// How long it may take to come.
    pub body_time: Duration,
    /// Events in one array.
    pub events: usize,
    /// Requests that are being recorded at once.
    pub requests: usize,
    /// Requests of one token, those whose body is still to come among them.
    pub share: usize,
    /// Requests a second of one token, in the long run.
    pub rate: NonZeroU32,
    /// Requests of one token that may come at once.
    pub burst: NonZeroU32,
    /// Connections to the database.
    pub connections: usize,
    /// How long a request waits for one of them.
    pub patience: Duration,
    /// Connections of callers.
    pub sockets: usize,
    /// How long a caller's connection may be idle, or take for its headers.
    pub header_time: Duration,
    /// How long draining may take.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_octets: 1 << 20,
            body_time: Duration::from_secs(15),
            events: 1000,
            requests: 64,
            share: 32,
            rate: const { NonZeroU32::new(50).unwrap() },
            burst: const { NonZeroU32::new(200).unwrap() },
            connections: 8,
            patience: Duration::from_secs(3),
            sockets: 512,
            header_time: Duration::from_secs(15),
            drain: Duration::from_secs(25),
        }
    }
}

/// What the handlers share.
#[derive(Debug)]
pub struct App {
    /// As told.
    pub limits: Limits,
    /// The database.
    pub pool: Arc<Pool>,
    /// Who may write.
    pub loaded: watch::Receiver<Loaded>,
    /// By the tokens' names.
    pub rate: DefaultKeyedRateLimiter<String>,
    /// What each token has under way, by its name.
    pub shares: Arc<Shares>,
    /// One for each request that is being recorded.
    pub permits: Arc<Semaphore>,
    /// Nothing new is taken.
    pub draining: AtomicBool,
    /// For `/readyz`.
    pub last_look: LastLook,
}

impl App {
    /// With the tokens as they are, and as they become.
    pub fn new(settings: &Settings, limits: Limits, loaded: watch::Receiver<Loaded>) -> Self {
        Self {
            pool: Arc::new(Pool::new(&settings.postgres, limits.connections, limits.patience)),
            loaded,
            rate: RateLimiter::keyed(Quota::per_second(limits.rate).allow_burst(limits.burst)),
            shares: Arc::new(Shares::new(limits.share)),
            permits: Arc::new(Semaphore::new(limits.requests)),
            draining: AtomicBool::new(false),
            last_look: LastLook::default(),
            limits,
        }
    }

    /// Takes nothing new, and waits for what is under way.
    pub async fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        let all = u32::try_from(self.limits.requests).unwrap_or(u32::MAX);
        if tokio::time::timeout(self.limits.drain, self.permits.acquire_many(all)).await.is_err() {
            tracing::warn!("gateway: requests are still under way after {:?}; they are broken off", self.limits.drain);
        }
    }
}

/// Every path.
pub fn router(app: Arc<App>) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(events::post_events))
        .routes(routes!(links::post_links))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .split_for_parts();
    let document = Arc::new(document);
    router
        .route("/openapi.json", get(async move || openapi::answer(&document)))
        .route("/", get(save::home))
        .route("/save", get(save::page))
        .route("/save.js", get(save::script))
        .route("/save.css", get(save::style))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(for_every_answer))
        .with_state(app)
}

async fn not_found(uri: Uri, headers: HeaderMap, body: Body) -> Problem {
    body::discard(&headers, body).await;
    Problem::new(Kind::NotFound, format!("there is no {}", shown(uri.path())))
        .hint("GET /openapi.json tells what there is.")
}

async fn method_not_allowed(method: Method, uri: Uri, headers: HeaderMap, body: Body) -> Problem {
    body::discard(&headers, body).await;
    Problem::new(Kind::MethodNotAllowed, format!("{} is not for {}", shown(method.as_str()), shown(uri.path())))
}

fn panicked(cause: Box<dyn std::any::Any + Send>) -> Response {
    let words = cause.downcast_ref::<String>().map(String::as_str).or(cause.downcast_ref::<&str>().copied());
    tracing::error!("gateway: a request panicked: {}", words.unwrap_or("for no reason that it gives"));
    Problem::new(Kind::Internal, "a defect; the log says more").into_response()
}

/// Nothing here is to be guessed at, kept by caches, or told to other sites. No answer ever says that another origin may read
/// it: CORS is refused.
async fn for_every_answer(request: Request, next: Next) -> Response {
    // The path alone: a query may hold the address of a page that somebody reads.
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    tracing::debug!(%method, path, status = response.status().as_u16(), "answered");
    let headers: [(HeaderName, &str); 3] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in headers {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
