//! Errors as problem details (RFC 9457). What a caller reads is written here or by the extension; nothing of the inside.

use axum::Json;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::health::Check;

/// Every kind of error, with its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The body, or a header, cannot be read as what it says it is.
    Malformed,
    /// No token, or none that is known.
    Unauthorized,
    /// The token may not write for that tenant.
    OtherTenant,
    /// The token may not tell of such an event.
    ReservedEventType,
    /// There is no such page.
    NotFound,
    /// The page knows other methods.
    MethodNotAllowed,
    /// The body did not come in time.
    TimedOut,
    /// An id is another event's, or a version is not the expected one.
    Conflict,
    /// Body, array or event.
    TooLarge,
    /// A content type or coding that is not read here.
    UnsupportedMediaType,
    /// Understood, and wrong.
    Invalid,
    /// The Idempotency-Key came with another request before.
    KeyReused,
    /// This token asks too often.
    TooManyRequests,
    /// A defect.
    Internal,
    /// As many requests as can be served at once are under way.
    Busy,
    /// The database is away, or not ready for us.
    DatabaseAway,
    /// The gateway is about to end.
    Draining,
    /// The health check failed.
    NotReady,
}

impl Kind {
    /// Status, the end of `type`, and title.
    fn words(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed => (StatusCode::BAD_REQUEST, "malformed", "Malformed request"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "Token needed"),
            Self::OtherTenant => (StatusCode::FORBIDDEN, "other-tenant", "Not this token's tenant"),
            Self::ReservedEventType => (StatusCode::FORBIDDEN, "reserved-event-type", "Not for this token to tell"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed"),
            Self::TimedOut => (StatusCode::REQUEST_TIMEOUT, "timed-out", "Request too slow"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "Conflict"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Unsupported media type")
            }
            Self::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Invalid value"),
            Self::KeyReused => {
                (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "Idempotency-Key used for another request")
            }
            Self::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Too busy"),
            Self::DatabaseAway => (StatusCode::SERVICE_UNAVAILABLE, "database-away", "Database not available"),
            Self::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining", "Shutting down"),
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not-ready", "Not ready"),
        }
    }
}

/// Problem details (RFC 9457).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Details {
    /// What kind of problem this is, for programs: `urn:lifestream:problem:` and a name.
    #[serde(rename = "type")]
    #[schema(example = "urn:lifestream:problem:invalid")]
    kind: String,
    /// The same for people.
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 422)]
    status: u16,
    /// What is wrong this time, with the offending value.
    detail: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    hint: Option<String>,
    /// PostgreSQL's code, where it was the database that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "22023")]
    sqlstate: Option<String>,
    /// The part of the body that is meant, as a JSON pointer in a URL's fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "#/3")]
    pointer: Option<String>,
    /// What `/readyz?verbose` looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(nullable = false)]
    checks: Vec<Check>,
}

/// An answer that is an error.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    details: Box<Details>,
    headers: HeaderMap,
}

impl Problem {
    /// With what is wrong this time.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (status, name, title) = kind.words();
        let details = Details {
            kind: format!("urn:lifestream:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            hint: None,
            sqlstate: None,
            pointer: None,
            checks: Vec::new(),
        };
        Self { status, details: Box::new(details), headers: HeaderMap::new() }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.details.hint = Some(hint.into());
        self
    }

    /// PostgreSQL's code.
    #[must_use]
    pub fn sqlstate(mut self, code: &str) -> Self {
        self.details.sqlstate = Some(code.to_owned());
        self
    }

    /// Which part of the body.
    #[must_use]
    pub fn pointer(mut self, pointer: impl Into<String>) -> Self {
        self.details.pointer = Some(pointer.into());
        self
    }

    /// What a health check found.
    #[must_use]
    pub fn checks(mut self, checks: Vec<Check>) -> Self {
        self.details.checks = checks;
        self
    }

    /// When it is worth another try.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// A header of the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.headers, Json(self.details)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

/// A value as messages show it: quoted, without control characters, not longer than a line.
pub fn shown(text: &str) -> String {
    const MOST: usize = 100;
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}
