//! Addresses that a page may link to.

use url::{Position, Url};

/// A longer one is no use to a reader.
const LONGEST: usize = 4000;

/// A web address that is safe to put on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A URI: ASCII, without user name and password.
    pub href: String,
    /// Its host as people know it, without `www.`; names in other scripts in their ASCII form, so that none looks like another.
    pub host: String,
}

/// The address, if it is one of the web; `javascript:`, `data:`, `file:` and the like are shown to nobody as a link.
pub fn web(text: &str) -> Option<Address> {
    let mut url = Url::parse(text.trim()).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    // What signs somebody in is not for publication.
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty())?;
    let host = host.strip_prefix("www.").unwrap_or(host).to_owned();
    let href = uri(&url);
    (href.len() <= LONGEST).then_some(Address { href, host })
}

/// As a URI (RFC 3986). The URL standard leaves more characters as they are, for which feed readers refuse a whole feed.
pub fn uri(url: &Url) -> String {
    let (place, rest) = url.as_str().split_at(url[..Position::BeforePath].len());
    let mut uri = place.to_owned();
    let mut is_fragment = false;
    for (at, c) in rest.char_indices() {
        let is_escape = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let stays = match c {
            '%' => rest.get(at + 1..at + 3).is_some_and(is_escape),
            '#' => !std::mem::replace(&mut is_fragment, true),
            c => c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '[' | '\\' | ']' | '^' | '`' | '{' | '|' | '}'),
        };
        if stays {
            uri.push(c);
        } else {
            c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| uri.push_str(&format!("%{byte:02X}")));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_web_is_linked_to() {
        for (text, expected) in [
            ("https://example.org/a?b=c#d", Some(("https://example.org/a?b=c#d", "example.org"))),
            (" HTTP://WWW.Example.org ", Some(("http://www.example.org/", "example.org"))),
            ("https://me:secret@example.org/", Some(("https://example.org/", "example.org"))),
            ("https://bücher.example/ä", Some(("https://xn--bcher-kva.example/%C3%A4", "xn--bcher-kva.example"))),
            (
                "https://example.org/\"><script>alert(1)</script>",
                Some(("https://example.org/%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "example.org")),
            ),
            (
                "https://example.org/a|b{c}^`[d]/100%?q={x}|[]^`\\%zz%41#f{|}[]^`#g",
                Some((
                    "https://example.org/a%7Cb%7Bc%7D%5E%60%5Bd%5D/100%25?q=%7Bx%7D%7C%5B%5D%5E%60%5C%25zz%41#f%7B%7C%7D%5B%5D%5E%60%23g",
                    "example.org",
                )),
            ),
            ("http://[2001:db8::1]:8080/", Some(("http://[2001:db8::1]:8080/", "[2001:db8::1]"))),
            ("https://example.org/\u{202e}gnp.exe", Some(("https://example.org/%E2%80%AEgnp.exe", "example.org"))),
            ("java\nscript:alert(1)", None),
            ("javascript:alert(1)", None),
            ("JaVaScRiPt://example.org/%0aalert(1)", None),
            ("data:text/html,<script>alert(1)</script>", None),
            ("vbscript:msgbox", None),
            ("file:///etc/passwd", None),
            ("//example.org/", None),
            ("example.org", None),
            ("", None),
        ] {
            let address = web(text);
            let found = address.as_ref().map(|address| (address.href.as_str(), address.host.as_str()));
            assert_eq!(found, expected, "{text:?}");
        }
        assert_eq!(web(&format!("https://example.org/{}", "x".repeat(5000))), None);
    }
}
