//! What an API's refusal means: whose fault it is, and whether to ask again.
//!
//! What is the page's own fault ends its task only. Anything else is the API's, the settings' or the network's, and
//! passes: a wrong key must not send thousands of links to the dead letters, so it trips the API's circuit breaker and
//! work waits until the key is right.

use jiff::Timestamp;
use reqwest::StatusCode;
use serde_json::Value;

use crate::runner::Failure;

/// What a refusal's body says. Its message is looked into, and never shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// In small letters.
    pub message: String,
    /// The parameter that it is about.
    pub param: Option<String>,
    /// Its code or type, if that is a short name.
    pub code: Option<String>,
}

impl Words {
    /// Reads a body, whatever it is.
    pub fn read(body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = body.get("error").unwrap_or(&body);
        let text = |name: &str| error[name].as_str();
        let message = text("message").or(error.as_str()).or(text("detail")).unwrap_or_default().to_lowercase();
        let code = ["code", "type"].into_iter().filter_map(text).find(|code| is_name(code)).map(str::to_owned);
        Self { message, param: text("param").map(str::to_owned), code }
    }

    fn is_about_length(&self) -> bool {
        const SIGNS: [&str; 7] = [
            "context length",
            "context window",
            "context size",
            "maximum context",
            "too many tokens",
            "prompt is too long",
            "input is too long",
        ];
        self.code.as_deref() == Some("context_length_exceeded") || SIGNS.iter().any(|sign| self.message.contains(sign))
    }

    /// Some answer 400 where others answer 401.
    fn is_about_key(&self) -> bool {
        self.message.contains("api key") || self.code.as_deref() == Some("invalid_api_key")
    }

    /// Some answer 400 where others answer 404.
    fn is_about_model(&self) -> bool {
        self.param.as_deref() == Some("model") || self.code.as_deref().is_some_and(|code| code.contains("model"))
    }

    fn is_about_content(&self) -> bool {
        const SIGNS: [&str; 4] = ["content_filter", "content_policy", "moderation", "safety"];
        self.code.as_deref().is_some_and(|code| SIGNS.iter().any(|sign| code.contains(sign)))
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Ask with less text.
    TooLong,
    /// The request itself is refused: without what it is refused for, or not at all.
    Wrong(Failure),
    /// The task fails.
    Fails(Failure),
}

const KEY: &str = ": it does not take the key (OPENAI_API_KEY)";
const MODEL: &str = ": there is no such API or model (OPENAI_BASE_URL, OPENAI_MODEL)";

/// Judges a status that is no success.
pub fn judge(place: &str, status: StatusCode, words: &Words, not_before: Option<Timestamp>) -> Judgement {
    let code = words.code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
    let said = format!("{place} answers {}{code}", status.as_u16());
    let permanent = |what: &str| Failure::Permanent { error: format!("{said}: {what}") };
    let passes =
        |what: &str| Judgement::Fails(Failure::Passing { error: format!("{said}{what}"), not_before, lane: None });
    match status.as_u16() {
        413 => Judgement::TooLong,
        400 | 422 if words.is_about_length() => Judgement::TooLong,
        400 | 403 | 422 if words.is_about_content() => Judgement::Fails(permanent("it does not take this page's text")),
        400 if words.is_about_key() => passes(KEY),
        400 | 422 if words.is_about_model() => passes(MODEL),
        400 | 422 => Judgement::Wrong(permanent("it does not take this request")),
        401 | 403 => passes(KEY),
        402 => passes(": it wants to be paid"),
        404 => passes(MODEL),
        300..=399 => passes(": a redirect, which is not followed, for the key is for this host only (OPENAI_BASE_URL)"),
        _ => passes(""),
    }
}

/// A failure that passes.
pub fn passing(error: String) -> Failure {
    Failure::passing(error)
}

/// Short, and of characters that a code is made of: no sentence, no key.
fn is_name(code: &str) -> bool {
    (1..=40).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn judged(status: u16, body: &str) -> Judgement {
        judge("api:443", StatusCode::from_u16(status).unwrap(), &Words::read(body.as_bytes()), None)
    }

    #[test]
    fn only_what_is_the_pages_own_fault_is_permanent() {
        let secret = r#"{"error":{"message":"Incorrect key sk-secret for 'the page says'","code":"invalid_api_key"}}"#;
        for status in [300, 302, 307, 401, 402, 403, 404, 408, 409, 429, 500, 502, 503, 529] {
            let Judgement::Fails(Failure::Passing { error, .. }) = judged(status, secret) else { panic!("{status}") };
            assert!(error.starts_with(&format!("api:443 answers {status} invalid_api_key")), "{error}");
            assert!(!error.contains("sk-secret") && !error.contains("the page says"), "{error}");
        }
        for body in [r#"{"error":{"message":"API key not valid."}}"#, r#"{"error":{"param":"model"}}"#] {
            assert!(matches!(judged(400, body), Judgement::Fails(Failure::Passing { .. })), "{body}");
        }
        let filtered = r#"{"error":{"code":"content_filter","message":"x"}}"#;
        for status in [400, 403, 422] {
            assert!(matches!(judged(status, filtered), Judgement::Fails(Failure::Permanent { .. })), "{status}");
        }
        assert!(matches!(judged(400, "what is this"), Judgement::Wrong(Failure::Permanent { .. })));
    }

    #[test]
    fn a_text_that_is_too_long_is_known_by_what_servers_say() {
        for body in [
            r#"{"error":{"code":"context_length_exceeded"}}"#,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens."}}"#,
            r#"{"error":"the request exceeds the available context size"}"#,
            r#"{"detail":"Prompt is too long"}"#,
        ] {
            assert_eq!(judged(400, body), Judgement::TooLong, "{body}");
        }
        assert_eq!(judged(413, ""), Judgement::TooLong);
    }

    #[test]
    fn codes_are_names_and_nothing_else() {
        for code in ["sk-proj-ABCDEF", "two words", "", "…", "Error: the page"] {
            let body = serde_json::json!({"error": {"code": code, "type": "server_error"}}).to_string();
            assert_eq!(Words::read(body.as_bytes()).code.as_deref(), Some("server_error"), "{code}");
        }
        assert_eq!(Words::read(br#"{"error":{"code":429}}"#).code, None);
    }
}
