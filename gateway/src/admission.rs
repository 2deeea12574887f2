//! Who comes in: a known token, not too often, not too many at once, and nobody once the gateway drains.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use governor::clock::{Clock, DefaultClock};
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::body::{self, Media};
use crate::idempotency::Key;
use crate::problem::{Kind, Problem};
use crate::shares::Place;
use crate::tokens::Holder;

/// A request that may be served.
#[derive(Debug)]
pub struct Admitted {
    /// Whose token it carries.
    pub holder: Holder,
    /// As sent.
    pub headers: HeaderMap,
    /// What the body is written in.
    pub media: Media,
    /// All of it.
    pub body: Vec<u8>,
    /// If it has one.
    pub key: Option<Key>,
    /// Held until the work is done.
    pub room: Room,
}

/// The room that a request takes.
#[derive(Debug)]
#[allow(dead_code, reason = "held, not read")]
pub struct Room {
    /// In its token's share.
    place: Place,
    /// Among all that is being recorded: draining waits for it.
    permit: OwnedSemaphorePermit,
}

/// Reads a request of whoever may write. Nothing of the body is looked at before the token is known.
///
/// A body takes of its own token's share only, however slowly it comes; it takes the others' room once all of it is here.
///
/// # Errors
/// As the answers of the OpenAPI document tell.
pub async fn admit(app: &Arc<App>, request: Request, accepted: &[Media]) -> Result<Admitted, Problem> {
    let (parts, body) = request.into_parts();
    let checked = holder(app, &parts.headers).and_then(|holder| {
        draining(app)?;
        let place = place(app, &holder)?;
        Ok((body::media(&parts.headers, accepted)?, holder, place))
    });
    let (media, holder, place) = match checked {
        Ok(checked) => checked,
        Err(problem) => {
            body::discard(&parts.headers, body).await;
            return Err(problem);
        }
    };
    let bytes = body::read(&parts.headers, body, app.limits.body_octets, app.limits.body_time).await?;
    let key = Key::of(&parts.headers, &holder.name, parts.uri.path(), &bytes)?;
    let room = Room { place, permit: permit(app)? };
    Ok(Admitted { holder, headers: parts.headers, media, body: bytes, key, room })
}

fn holder(app: &App, headers: &HeaderMap) -> Result<Holder, Problem> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let token = match (given.next(), given.next()) {
        (Some(value), None) => value.to_str().ok().and_then(bearer),
        _ => None,
    };
    let Some(token) = token else {
        return Err(unauthorized("a token is needed", "Bearer realm=\"lifestream\""));
    };
    let tokens = Arc::clone(&app.loaded.borrow().tokens);
    let Some(holder) = tokens.holder(token) else {
        return Err(unauthorized(
            "the token is not known here",
            "Bearer realm=\"lifestream\", error=\"invalid_token\"",
        ));
    };
    if let Err(until) = app.rate.check_key(&holder.name) {
        let wait = until.wait_time_from(DefaultClock::default().now());
        return Err(Problem::new(
            Kind::TooManyRequests,
            format!("{} sends more than {} requests a second", holder.name, app.limits.rate),
        )
        .hint("Put many events into one request: POST /events takes an array.")
        .retry_after(wait.as_secs() + 1));
    }
    Ok(holder.clone())
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

fn unauthorized(detail: &str, challenge: &'static str) -> Problem {
    Problem::new(Kind::Unauthorized, detail)
        .hint("Send the header Authorization: Bearer <token>, with a token of the gateway's tokens file.")
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

fn place(app: &App, holder: &Holder) -> Result<Place, Problem> {
    app.shares.take(&holder.name).ok_or_else(|| {
        Problem::new(
            Kind::TooManyRequests,
            format!("{} has {} requests under way already", holder.name, app.limits.share),
        )
        .hint("Wait for their answers, or put many events into one request: POST /events takes an array.")
        .retry_after(1)
    })
}

fn permit(app: &App) -> Result<OwnedSemaphorePermit, Problem> {
    let permit = Arc::clone(&app.permits).try_acquire_owned();
    // After the permit: whoever drains sets the flag first, and then waits for all permits.
    draining(app)?;
    permit.map_err(|_| {
        Problem::new(Kind::Busy, format!("{} requests are under way already", app.limits.requests)).retry_after(1)
    })
}

fn draining(app: &App) -> Result<(), Problem> {
    if app.draining.load(Ordering::SeqCst) {
        return Err(Problem::new(Kind::Draining, "the gateway is shutting down")
            .hint("Send the request again in a moment.")
            .retry_after(5)
            .header(header::CONNECTION, HeaderValue::from_static("close")));
    }
    Ok(())
}
