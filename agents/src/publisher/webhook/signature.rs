//! The signature of a message (Standard Webhooks, symmetric: `v1`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What signs.
pub struct Key {
    mac: Hmac<Sha256>,
}

impl Key {
    /// Reads `whsec_` and base64; the prefix may be missing. The specification wants 24 to 64 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok()?;
        if !(24..=64).contains(&bytes.len()) {
            return None;
        }
        Some(Self { mac: Hmac::new_from_slice(&bytes).ok()? })
    }

    /// The header's value.
    pub fn sign(&self, id: &str, timestamp: &str, body: &str) -> String {
        let mut mac = self.mac.clone();
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn it_is_the_signature_that_others_compute() {
        let key = Key::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "whsec_", "whsec_%%%", "short", "whsec_c2hvcnQ=", &STANDARD.encode([0; 65])] {
            assert!(Key::parse(text).is_none(), "{text}");
        }
        assert!(Key::parse(&STANDARD.encode([7; 32])).is_some());
    }
}
