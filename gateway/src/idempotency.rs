//! `Idempotency-Key`: a request sent again records nothing twice.
//!
//! Ids are derived from the token's name and the key, so the first request wins wherever and however often it is repeated,
//! across restarts and several gateways. The digest of the request travels in the header `idempotency_fingerprint` of its
//! events: the same key with another request is an error, not a silent nothing.

use axum::http::HeaderMap;
use lifestream_envelope::ids;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::problem::{Kind, Problem, shown};

/// The request header.
pub const HEADER: &str = "idempotency-key";
/// The event header that holds the digest; `sql/events/idempotency_fingerprint.sql` reads it.
pub const EVENT_HEADER: &str = "idempotency_fingerprint";
/// The response header of an answer that had been given before.
pub const REPLAYED: &str = "idempotency-replayed";
/// Longest key.
const LONGEST: usize = 255;

/// A request's key, with what tells one request from another.
#[derive(Debug, Clone)]
pub struct Key {
    token_name: String,
    key: String,
    /// Hex sha256 of path and body.
    pub fingerprint: String,
}

impl Key {
    /// The key of a request, if it has one: a bare text, or quoted as the IETF's draft has it.
    ///
    /// # Errors
    /// Given twice, empty, too long, or not of visible ASCII characters.
    pub fn of(headers: &HeaderMap, token_name: &str, path: &str, body: &[u8]) -> Result<Option<Self>, Problem> {
        let mut given = headers.get_all(HEADER).iter();
        let Some(value) = given.next() else { return Ok(None) };
        let refused = |reason: String| Err(Problem::new(Kind::Malformed, format!("Idempotency-Key: {reason}")));
        if given.next().is_some() {
            return refused("it is given twice".to_owned());
        }
        let text = String::from_utf8_lossy(value.as_bytes());
        let text = text.trim();
        let key = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        if key.is_empty() || key.len() > LONGEST || !key.bytes().all(|b| b.is_ascii_graphic() && b != b'"') {
            return refused(format!("{} is not 1 to {LONGEST} visible ASCII characters without quotes", shown(key)));
        }
        let mut digest = Sha256::new();
        digest.update(path);
        digest.update([0]);
        digest.update(body);
        let fingerprint = digest.finalize().iter().map(|octet| format!("{octet:02x}")).collect();
        Ok(Some(Self { token_name: token_name.to_owned(), key: key.to_owned(), fingerprint }))
    }

    /// The id of the request's event of that number, from 0.
    pub fn id(&self, number: usize) -> Uuid {
        ids::gateway_id(&self.token_name, &self.key, number)
    }

    /// The answer to a request whose key came with another one before.
    pub fn reused(&self) -> Problem {
        Problem::new(
            Kind::KeyReused,
            format!("Idempotency-Key {} came with another path or body before", shown(&self.key)),
        )
        .hint("Repeat a request as it was, octet for octet; give every new request a key of its own.")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn key(values: &[&[u8]]) -> Result<Option<Key>, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, axum::http::HeaderValue::from_bytes(value).unwrap());
        }
        Key::of(&headers, "phone", "/links", b"{}")
    }

    #[test]
    fn keys_are_bare_or_quoted() {
        assert!(key(&[]).unwrap().is_none());
        let bare = key(&[b"8e03978e-40d5"]).unwrap().unwrap();
        let quoted = key(&[b"\"8e03978e-40d5\""]).unwrap().unwrap();
        assert_eq!(bare.id(0), quoted.id(0));
        assert_eq!(bare.id(0), ids::gateway_id("phone", "8e03978e-40d5", 0));
        assert_ne!(bare.id(0), bare.id(1));
        assert_eq!(bare.fingerprint.len(), 64);
        let longest = "k".repeat(255);
        assert!(key(&[longest.as_bytes()]).is_ok());
        let long = "k".repeat(256);
        for bad in [&[&b""[..]][..], &[b"\"\""], &[b"a b"], &[b"\xff"], &[b"\"a"], &[b"a", b"b"], &[long.as_bytes()]] {
            assert!(key(bad).is_err(), "{bad:?}");
        }
    }
}
