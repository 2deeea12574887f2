//! What the OpenAPI document says beyond the handlers: the shapes of requests, and the errors that they share.

use std::collections::BTreeMap;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi, ToSchema};
use uuid::Uuid;

use crate::problem::Details;

/// The document, before the routes are added.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "pg_lifestream gateway",
        description = "Takes events and links over HTTP. Errors are problem details (RFC 9457).",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    modifiers(&Token),
    tags((name = "intake", description = "Recording"), (name = "health", description = "For whoever watches over the process")),
)]
pub struct Document;

struct Token;

impl Modify for Token {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.description = Some("A token of the file that LIFESTREAM_GATEWAY_TOKENS_FILE names.".to_owned());
        openapi.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// An event: the arguments of the SQL function `emit_event`, by name. A member that is null counts as not given.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes what the database reads and checks")]
pub struct NewEvent {
    /// What happened.
    #[schema(example = "note.created", min_length = 1)]
    event_type: String,
    /// What kind of thing it happened to.
    #[schema(example = "note", min_length = 1)]
    subject: String,
    /// Which one: events of one subject stay in order.
    #[schema(example = "n-1", min_length = 1)]
    subject_id: String,
    /// What is to be known about it.
    payload: BTreeMap<String, Value>,
    /// Where it comes from; `gateway/` and the token's name if not given.
    source: Option<String>,
    /// When it happened, such as 2026-01-31T12:00:00Z; now if not given.
    occurred_at: Option<String>,
    /// Makes a repeat harmless: the same id with the same event_type and subject_id is recorded once.
    id: Option<Uuid>,
    /// What belongs together.
    correlation_id: Option<Uuid>,
    /// The event that led to this one.
    causation_id: Option<Uuid>,
    /// Whose it is; the token's tenant if it has one, else none.
    tenant_id: Option<String>,
    /// Of the payload, from 1.
    #[schema(minimum = 1)]
    schema_version: Option<i32>,
    /// Become Kafka headers.
    headers: Option<BTreeMap<String, String>>,
    /// How many events the subject must have so far; 0: none.
    #[schema(minimum = 0)]
    expected_version: Option<i64>,
}

/// The body of `POST /events`.
#[derive(Debug, ToSchema)]
#[schema(as = Events)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes what is read by hand, so that numbers keep every digit")]
pub enum OneOrMany {
    /// One event.
    One(Box<NewEvent>),
    /// Up to 1,000.
    Many(NewEvents),
}

/// Up to 1,000 events.
#[derive(Debug, ToSchema)]
#[schema(min_items = 1, max_items = 1000)]
#[allow(dead_code, reason = "as above")]
pub struct NewEvents(Vec<NewEvent>);

/// A link. A member that is empty counts as not given.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes what is read by hand, from JSON and from forms")]
pub struct NewLink {
    /// Absolute, http or https.
    #[schema(example = "https://example.org/a", min_length = 1)]
    url: String,
    /// Its title.
    title: Option<String>,
    /// Why you saved it.
    note: Option<String>,
    /// An array, or one text with commas.
    tags: Option<Tags>,
    /// Whose it is; the token's tenant if it has one, else none.
    tenant: Option<String>,
}

/// Tags of a link.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes what is read by hand")]
pub enum Tags {
    /// One by one.
    List(Vec<String>),
    /// With commas between them.
    Text(String),
}

/// The header that makes a repeated request harmless.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes a header")]
pub struct KeyHeader {
    /// Names this request among the token's: up to 255 visible ASCII characters, such as a UUID. The same request sent again with
    /// the same key records nothing more, and is answered as before, however long ago that was.
    #[param(rename = "Idempotency-Key", required = false, nullable = false, max_length = 257)]
    idempotency_key: Option<String>,
}

/// What a request to record can be answered with instead.
#[derive(Debug, IntoResponses)]
#[allow(dead_code, reason = "describes answers")]
pub enum Refused {
    /// The body is not JSON, or the Idempotency-Key is malformed.
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(Details),
    /// No token, or one that is not known. WWW-Authenticate says which.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Details),
    /// The token is bound to another tenant than the event's or its link's, or may not tell of events of this type.
    #[response(status = 403, content_type = "application/problem+json")]
    OtherTenant(Details),
    /// The body did not come in time.
    #[response(status = 408, content_type = "application/problem+json")]
    TimedOut(Details),
    /// The id is another event's (SQLSTATE 23505), or expected_version is not the subject's version (40001).
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Details),
    /// The body, the array or an event (SQLSTATE 54000) is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Details),
    /// Another Content-Type, or a Content-Encoding.
    #[response(status = 415, content_type = "application/problem+json")]
    UnsupportedMediaType(Details),
    /// A value is wrong (SQLSTATE 22023 and others), or the Idempotency-Key came with another request before.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Details),
    /// This token sends too many requests, or has too many under way. Retry-After says when to go on.
    #[response(status = 429, content_type = "application/problem+json")]
    TooManyRequests(Details),
    /// A defect; the log says more.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Details),
    /// The database is away, too much is under way, or the gateway shuts down. Retry-After says when to try again.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Details),
}

/// Serves the document.
pub fn answer(document: &utoipa::openapi::OpenApi) -> Response {
    match document.to_json() {
        Ok(json) => ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], json).into_response(),
        Err(error) => {
            tracing::error!("gateway: the OpenAPI document has no JSON form: {error}");
            crate::problem::Problem::new(crate::problem::Kind::Internal, "the document cannot be written")
                .into_response()
        }
    }
}
