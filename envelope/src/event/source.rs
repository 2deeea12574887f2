//! CloudEvents wants `source` to be a URI-reference; ours is any text.

use std::borrow::Cow;
use std::fmt::Write;

/// The event's source as a URI-reference (RFC 3986).
///
/// A source that is one already stays as it is: `shop/orders`, `https://example.org/a?b`. Any other has each octet
/// that is neither unreserved nor `/` percent-encoded: `my shop` becomes `my%20shop`, `a:b c` becomes `a%3Ab%20c`.
pub fn ce_source(source: &str) -> Cow<'_, str> {
    if source.bytes().all(is_plain) || is_uri_reference(source) {
        return Cow::Borrowed(source);
    }
    let mut encoded = String::with_capacity(source.len() + 16);
    for byte in source.bytes() {
        if is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    Cow::Owned(encoded)
}

/// Unreserved characters and `/`: a reference made of these alone is a valid path whatever their order.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/')
}

/// Errs on the side of no: IP literals in brackets are not recognised.
fn is_uri_reference(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut i = 0;
    let mut fragments = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'%' => {
                let triplet = bytes.get(i + 1..i + 3);
                if !triplet.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return false;
                }
                i += 2;
            }
            b'#' => fragments += 1,
            b':' | b'?' | b'@' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => {}
            byte if is_plain(byte) => {}
            _ => return false,
        }
        i += 1;
    }
    // A colon in the first segment makes what stands before it a scheme.
    let first = text.split(['/', '?', '#']).next().unwrap_or_default();
    let scheme = first.split_once(':').map(|(scheme, _)| scheme);
    fragments <= 1 && scheme.is_none_or(is_scheme) && authority(text, scheme).is_none_or(is_authority)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn authority<'a>(text: &'a str, scheme: Option<&str>) -> Option<&'a str> {
    let rest = scheme.map_or(text, |scheme| &text[scheme.len() + 1..]);
    rest.strip_prefix("//").and_then(|rest| rest.split(['/', '?', '#']).next())
}

/// `[userinfo@]host[:port]` without IP literals: one `@` at most, and a port of digits.
fn is_authority(text: &str) -> bool {
    let host = text.rsplit_once('@').map_or(text, |(user, host)| if user.contains('@') { ":" } else { host });
    host.split_once(':').is_none_or(|(name, port)| !name.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::ce_source;

    #[test]
    fn a_uri_reference_stays_as_it_is() {
        for source in [
            "shop",
            "shop/orders",
            "/a//b",
            "//host/x",
            "https://example.org:8080/a?b=c#d",
            "urn:uuid:1234",
            "a%20b",
            "me@home",
            "mailto:a@b",
            "x?y:z",
            "ftp://a:b@host/",
        ] {
            assert_eq!(ce_source(source), source);
        }
    }

    #[test]
    fn anything_else_is_percent_encoded() {
        for (source, expected) in [
            ("my shop", "my%20shop"),
            ("a:b c", "a%3Ab%20c"),
            ("1:2", "1%3A2"),
            ("a_b:c", "a_b%3Ac"),
            ("100%", "100%25"),
            ("a#b#c", "a%23b%23c"),
            ("grün/ä", "gr%C3%BCn/%C3%A4"),
            ("http://[::1]/", "http%3A//%5B%3A%3A1%5D/"),
            ("http://a:b:c/", "http%3A//a%3Ab%3Ac/"),
            ("tab\there", "tab%09here"),
            (":", "%3A"),
        ] {
            assert_eq!(ce_source(source), expected);
        }
    }
}
