//! What a body is: by its `Content-Type`, or by its first bytes where there is none.

use mime::Mime;

/// What can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// HTML, XHTML too.
    Html,
    /// Plain text.
    Text,
    /// Markdown.
    Markdown,
}

/// What a body is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType {
    /// What can be read.
    pub kind: Kind,
    /// Type and subtype, lower case.
    pub essence: String,
    /// The parameter `charset`.
    pub charset: Option<String>,
}

/// Reads the header.
///
/// # Errors
/// Names the type that is not read.
pub fn read(header: Option<&str>, body: &[u8]) -> Result<ContentType, String> {
    let parsed = header.and_then(|text| text.parse::<Mime>().ok());
    let Some(parsed) = parsed else { return Ok(sniff(body)) };
    let essence = parsed.essence_str().to_ascii_lowercase();
    let kind = match essence.as_str() {
        "text/html" | "application/xhtml+xml" => Kind::Html,
        "text/plain" => Kind::Text,
        "text/markdown" | "text/x-markdown" => Kind::Markdown,
        _ => {
            let shown: String = essence.chars().take(100).collect();
            return Err(format!("content type {shown} is not read (HTML, XHTML, plain text and Markdown are)"));
        }
    };
    Ok(ContentType { kind, essence, charset: parsed.get_param(mime::CHARSET).map(|name| name.to_string()) })
}

/// Text that begins with a tag is HTML. Whether it is text at all shows when it is decoded.
fn sniff(body: &[u8]) -> ContentType {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    let tag = body.first() == Some(&b'<') && body.get(1).is_some_and(|b| b.is_ascii_alphabetic() || b"!?".contains(b));
    let (kind, essence) = if tag { (Kind::Html, "text/html") } else { (Kind::Text, "text/plain") };
    ContentType { kind, essence: essence.to_owned(), charset: None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn types_are_read_or_refused_by_name() {
        for (header, body, expected) in [
            (Some("text/html; charset=ISO-8859-1"), "", Ok((Kind::Html, Some("iso-8859-1")))),
            (Some("TEXT/HTML;charset=\"utf-8\""), "", Ok((Kind::Html, Some("utf-8")))),
            (Some("application/xhtml+xml"), "", Ok((Kind::Html, None))),
            (Some("text/plain"), "<html>", Ok((Kind::Text, None))),
            (Some("text/markdown; variant=GFM"), "", Ok((Kind::Markdown, None))),
            (None, " <!doctype html>", Ok((Kind::Html, None))),
            (None, "a < b", Ok((Kind::Text, None))),
            (Some("nonsense"), "<p>", Ok((Kind::Html, None))),
            (Some(""), "", Ok((Kind::Text, None))),
            (Some("application/pdf"), "<html>", Err("application/pdf")),
            (Some("image/png"), "", Err("image/png")),
            (Some("application/rss+xml; charset=utf-8"), "", Err("application/rss+xml")),
            (Some("application/octet-stream"), "", Err("application/octet-stream")),
        ] {
            match (read(header, body.as_bytes()), expected) {
                (Ok(found), Ok((kind, charset))) => {
                    assert_eq!(found.kind, kind, "{header:?}");
                    assert_eq!(found.charset.map(|name| name.to_ascii_lowercase()).as_deref(), charset, "{header:?}");
                }
                (Err(error), Err(name)) => assert!(error.contains(name), "{error}"),
                (found, _) => panic!("{header:?}: {found:?}"),
            }
        }
    }
}
