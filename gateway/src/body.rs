//! Reading a request's body, within limits.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;

use crate::problem::{Kind, Problem, shown};

/// What a body is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

/// What the request says that its body is.
///
/// # Errors
/// Nothing, or something that is not among `accepted`; a content coding.
pub fn media(headers: &HeaderMap, accepted: &[Media]) -> Result<Media, Problem> {
    let refused = |detail: String| {
        let names: Vec<_> = accepted.iter().map(|media| media.name()).collect();
        Err(Problem::new(Kind::UnsupportedMediaType, detail).hint(format!("Send {}.", names.join(" or "))))
    };
    if let Some(coding) = headers.get(header::CONTENT_ENCODING).filter(|coding| coding.as_bytes() != b"identity") {
        let coding = String::from_utf8_lossy(coding.as_bytes());
        return refused(format!("Content-Encoding {} is not read here", shown(&coding)));
    }
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return refused("Content-Type is missing".to_owned()) };
    let given = String::from_utf8_lossy(given.as_bytes());
    let essence = given.split(';').next().unwrap_or_default().trim();
    match accepted.iter().find(|media| essence.eq_ignore_ascii_case(media.name())) {
        Some(media) => Ok(*media),
        None => refused(format!("Content-Type {} is not read here", shown(&given))),
    }
}

impl Media {
    fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }
}

/// All of the body.
///
/// # Errors
/// Larger than `most` octets, slower than `within`, or broken off.
pub async fn read(headers: &HeaderMap, body: Body, most: usize, within: Duration) -> Result<Vec<u8>, Problem> {
    let large = |body| async move {
        discard(headers, body).await;
        Err(Problem::new(Kind::TooLarge, format!("the body is larger than {most} octets"))
            .hint("Send several requests, or store large contents elsewhere and emit a reference to them."))
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > most) {
        return large(body).await;
    }
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::with_capacity(announced.unwrap_or_default());
    let reading = async {
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_| Problem::new(Kind::Malformed, "the body broke off"))?;
            if bytes.len() + chunk.len() > most {
                return Ok(false);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(true)
    };
    match tokio::time::timeout(within, reading).await {
        Ok(Ok(true)) => Ok(bytes),
        Ok(Ok(false)) => large(Body::from_stream(stream)).await,
        Ok(Err(problem)) => Err(problem),
        Err(_) => Err(Problem::new(
            Kind::TimedOut,
            format!("the body did not come within {} s: {} octets did", within.as_secs(), bytes.len()),
        )),
    }
}

/// Takes in a body that nobody wants: to whoever still sends, a connection that is closed on him looks like a failure of the
/// network, and he never reads the answer. Bounded, for whoever never ends.
pub async fn discard(headers: &HeaderMap, body: Body) {
    const MOST: usize = 8 << 20;
    const WITHIN: Duration = Duration::from_secs(1);
    // He asks before he sends; a body that is not read is the answer.
    if headers.contains_key(header::EXPECT) {
        return;
    }
    let mut stream = body.into_data_stream();
    let reading = async {
        let mut taken = 0;
        while let Some(Ok(chunk)) = stream.next().await {
            taken += chunk.len();
            if taken > MOST {
                break;
            }
        }
    };
    // Whether it ended or not, the answer is sent.
    let _ = tokio::time::timeout(WITHIN, reading).await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn content_types() {
        let media = |content_type: &str, coding: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
            if let Some(coding) = coding {
                headers.insert(header::CONTENT_ENCODING, coding.parse().unwrap());
            }
            super::media(&headers, &[Media::Json, Media::Form]).ok()
        };
        assert_eq!(media("application/json", None), Some(Media::Json));
        assert_eq!(media("Application/JSON ; charset=utf-8", Some("identity")), Some(Media::Json));
        assert_eq!(media("application/x-www-form-urlencoded;charset=UTF-8", None), Some(Media::Form));
        for other in ["", "text/plain", "application/jsonp", "application/json, text/plain", "multipart/form-data"] {
            assert_eq!(media(other, None), None, "{other}");
        }
        assert_eq!(media("application/json", Some("gzip")), None);
    }
}
