//! What is known of a page beside its text.

use jiff::civil::{Date, DateTime};
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{Timestamp, Zoned};
use serde::Serialize;
use url::Url;

use super::characters::line;

/// Longest line, and longest URL.
const LINE: usize = 500;
const URL: usize = 2048;

/// As the event `content.fetched` carries it.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// As the link gave it.
    pub url: String,
    /// What answered, after redirects.
    pub final_url: Option<String>,
    /// The title, in one line.
    pub title: Option<String>,
    /// Who wrote it.
    pub byline: Option<String>,
    /// A BCP 47 tag.
    pub language: Option<String>,
    /// The site's name.
    pub site_name: Option<String>,
    /// When it was published: an instant (RFC 3339, UTC), or a date where no more is known.
    pub published_at: Option<String>,
    /// The lead image's URL.
    pub image: Option<String>,
    /// The URL by which the page wants to be known.
    pub canonical_url: Option<String>,
    /// Type and subtype.
    pub content_type: Option<String>,
    /// The encoding that was decoded.
    pub charset: Option<String>,
    /// The answer's `ETag`.
    pub etag: Option<String>,
    /// The answer's `Last-Modified`.
    pub last_modified: Option<String>,
    /// The body's bytes, decompressed.
    pub bytes: Option<usize>,
    /// Whether text was left out.
    pub truncated: bool,
    /// The page's description of itself, else its first words.
    pub excerpt: Option<String>,
    /// Which reader made text of it: an answer "not modified" counts only for the reader's own text.
    pub reader: Option<u32>,
}

/// One line, without what does not belong into one.
pub fn words(text: Option<&str>) -> Option<String> {
    line(text?, LINE)
}

/// An http(s) URL on the page, made absolute.
pub fn link(text: Option<&str>, base: &Url) -> Option<String> {
    let url = base.join(text?.trim()).ok()?;
    let fits = matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty();
    (fits && url.password().is_none() && url.as_str().len() <= URL).then(|| url.into())
}

/// A time as pages write it.
pub fn time(text: Option<&str>) -> Option<String> {
    let text = text?.trim();
    let instant = text
        .parse::<Timestamp>()
        .or_else(|_| text.parse::<Zoned>().map(|zoned| zoned.timestamp()))
        .or_else(|_| DateTimeParser::new().parse_timestamp(text));
    if let Ok(instant) = instant {
        return Some(instant.to_string());
    }
    // Without a zone, the date is what is certain.
    let date = text.parse::<DateTime>().map(DateTime::date).or_else(|_| text.parse::<Date>());
    let date = date.or_else(|error| text.get(..10).ok_or(error)?.parse::<Date>());
    date.ok().map(|date| date.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn times_are_instants_in_utc_or_dates() {
        for (text, expected) in [
            ("2026-01-02T03:04:05Z", Some("2026-01-02T03:04:05Z")),
            (" 2026-01-02T03:04:05+02:00 ", Some("2026-01-02T01:04:05Z")),
            ("2026-01-02T03:04:05+0200", Some("2026-01-02T01:04:05Z")),
            ("2026-01-02 03:04:05.5Z", Some("2026-01-02T03:04:05.5Z")),
            ("Fri, 02 Jan 2026 03:04:05 GMT", Some("2026-01-02T03:04:05Z")),
            ("2026-01-02T03:04:05", Some("2026-01-02")),
            ("2026-01-02", Some("2026-01-02")),
            ("2026-01-02, by someone", Some("2026-01-02")),
            ("2026-13-02", None),
            ("yesterday", None),
            ("äöüäöüäöü", None),
            ("", None),
        ] {
            assert_eq!(time(Some(text)).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn links_are_absolute_and_of_the_web() {
        let base = Url::parse("https://example.org/a/b").unwrap();
        for (text, expected) in [
            ("/c.png", Some("https://example.org/c.png")),
            ("//cdn.example/x", Some("https://cdn.example/x")),
            ("javascript:alert(1)", None),
            ("data:image/png;base64,AA", None),
            ("http://me:secret@example.org/", None),
            ("http://[", None),
        ] {
            assert_eq!(link(Some(text), &base).as_deref(), expected, "{text}");
        }
        assert_eq!(link(Some(&format!("/{}", "x".repeat(5000))), &base), None);
    }
}
