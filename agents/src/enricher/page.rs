//! What an enrichment starts from: the payload of `content.fetched`.

use lifestream_envelope::work::Work;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::clean;
use crate::runner::Failure;

/// More of a title says nothing about the page.
const TITLE: usize = 300;

/// A page that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its text, whole.
    pub text: String,
    /// Its title in plain text; may be empty.
    pub title: String,
    /// Its language as it says itself, such as `de`.
    pub language: Option<String>,
}

impl Page {
    /// Reads a work message's payload. Of its metadata only the title and the language count, and only where they are
    /// what they should be.
    ///
    /// # Errors
    /// There is no text: permanent, for no later attempt would find one.
    pub fn of(work: &Work) -> Result<Self, Failure> {
        let bad = |error: String| Failure::Permanent { error };
        // The parser's own words would quote the page.
        let payload: Map<String, Value> = serde_json::from_str(work.payload.get())
            .map_err(|error| bad(format!("payload is not JSON at column {}", error.column())))?;
        let Some(Value::String(text)) = payload.get("text_content") else {
            return Err(bad("payload has no text in \"text_content\": nothing to enrich".to_owned()));
        };
        let metadata = |name: &str| payload.get("metadata").and_then(|metadata| metadata.get(name)?.as_str());
        // Cut before it is cleaned as well: a title can be as long as an event.
        let title: String = metadata("title").unwrap_or_default().chars().take(4 * TITLE).collect();
        let title = clean::plain(&title).chars().take(TITLE).collect();
        Ok(Self { text: text.clone(), title, language: metadata("language").and_then(primary) })
    }

    /// Which text this is, for the guard that asks whether it was enriched already.
    pub fn digest(&self) -> String {
        Sha256::digest(self.text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The primary subtag of a language tag: `de` of `de-AT` or `de_AT.UTF-8`. Two letters or three, or nothing.
fn primary(tag: &str) -> Option<String> {
    let first = tag.trim().split(['-', '_', '.']).next().unwrap_or_default().to_ascii_lowercase();
    (matches!(first.len(), 2 | 3) && first.bytes().all(|b| b.is_ascii_lowercase())).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_primary_subtags() {
        for (given, expected) in [
            ("de-AT", Some("de")),
            ("en_US.UTF-8", Some("en")),
            ("GER", Some("ger")),
            ("", None),
            ("<b>", None),
            ("english", None),
        ] {
            assert_eq!(primary(given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn the_digest_is_sha256_in_hex() {
        let page = Page { text: "abc".to_owned(), title: String::new(), language: None };
        assert_eq!(page.digest(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
