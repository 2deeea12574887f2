//! `POST /events`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::admission::{Admitted, admit};
use crate::app::App;
use crate::body::Media;
use crate::emission::{self, Members, Order, Recorded, put_header};
use crate::idempotency;
use crate::openapi::Refused;
use crate::problem::{Kind, Problem};
use crate::scope;
use crate::traceparent;

/// Ids of what was recorded.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Ids {
    /// Answers one event.
    One {
        /// The event's.
        id: Uuid,
    },
    /// Answers an array.
    Many {
        /// In the order of the events.
        ids: Vec<Uuid>,
    },
}

/// Records an event, or an array of up to 1,000 in one transaction: all of them, or none.
#[utoipa::path(
    post,
    path = "/events",
    tag = "intake",
    params(crate::openapi::KeyHeader),
    request_body(content = crate::openapi::OneOrMany, content_type = "application/json"),
    responses(
        (
            status = 201,
            description = "Recorded. A repeated request is answered as the first one was.",
            body = Ids,
            headers(("Idempotency-Replayed" = bool, description = "`true` where this had been recorded before")),
        ),
        Refused,
    ),
    security(("token" = [])),
)]
pub async fn post_events(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let Admitted { holder, headers, body, key, room, .. } = admit(&app, request, &[Media::Json]).await?;
    let (mut events, many) = parse(&body, app.limits.events)?;
    let mut links = Vec::new();
    for (number, event) in events.iter_mut().enumerate() {
        scope::complete(event, &holder, (many, number))?;
        links.extend(scope::link(event, &holder, (many, number))?);
        if let Some(traceparent) = traceparent::of(&headers) {
            put_header(event, traceparent::HEADER, traceparent, false);
        }
    }
    let mut order = Order { events, links, many, key };
    order.identify()?;
    let recorded = emission::record_whatever_happens(Arc::clone(&app.pool), order, room).await?;
    let ids = match (many, recorded.ids.as_slice()) {
        (false, [id]) => Ids::One { id: *id },
        (_, ids) => Ids::Many { ids: ids.to_vec() },
    };
    Ok(created(&recorded, ids))
}

/// 201, and whether it is an old answer.
pub fn created(recorded: &Recorded, body: impl Serialize) -> Response {
    let replayed = recorded.replayed.then_some([(idempotency::REPLAYED, "true")]);
    (StatusCode::CREATED, replayed, Json(body)).into_response()
}

/// The events of a body, and whether it is an array.
fn parse(body: &[u8], most: usize) -> Result<(Vec<Members>, bool), Problem> {
    let text = text(body)?;
    if !text.starts_with('[') {
        let event = serde_json::from_str(text).map_err(|error| bad_json(&error, "an event, or an array of events"))?;
        return Ok((vec![event], false));
    }
    let elements: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| bad_json(&error, "an array of events"))?;
    if elements.len() > most {
        return Err(Problem::new(
            Kind::TooLarge,
            format!("{} events in one request, {most} are allowed", elements.len()),
        )
        .hint("Send several requests."));
    }
    if elements.is_empty() {
        return Err(Problem::new(Kind::Invalid, "the array is empty"));
    }
    let events = elements.iter().enumerate().map(|(number, element)| {
        serde_json::from_str(element.get())
            .map_err(|error| bad_json(&error, "an event, which is an object").pointer(format!("#/{number}")))
    });
    Ok((events.collect::<Result<_, _>>()?, true))
}

/// A body as text.
///
/// # Errors
/// Empty, or not UTF-8.
pub fn text(body: &[u8]) -> Result<&str, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Problem::new(Kind::Malformed, format!("the body is not UTF-8 (at byte {})", error.valid_up_to() + 1))
    })?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() { Err(Problem::new(Kind::Malformed, "the body is empty")) } else { Ok(text) }
}

/// What serde_json says: bad syntax, or JSON of another shape.
pub fn bad_json(error: &serde_json::Error, expected: &str) -> Problem {
    use serde_json::error::Category;
    match error.classify() {
        Category::Data => Problem::new(Kind::Invalid, format!("{expected} is expected: {error}")),
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::new(Kind::Malformed, format!("the body is not JSON: {error}"))
        }
    }
}
