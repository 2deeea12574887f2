//! From bytes to text, as browsers do it: byte order mark, then header, then what the page says of itself, then a guess.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, REPLACEMENT, UTF_8, WINDOWS_1252, X_USER_DEFINED};

use super::content_type::{ContentType, Kind};

mod declared;

/// How far a page's own word is looked for, and how much of it a guess looks at.
const DECLARED_WITHIN: usize = 1024;
const GUESSED_FROM: usize = 256 * 1024;
/// How much of the beginning must be text.
const LOOKED_AT: usize = 4096;

/// Decodes a body. `host` helps to guess: its top-level domain says which languages are likely.
///
/// # Errors
/// It is no text.
pub fn decode(body: &[u8], content_type: &ContentType, host: &str) -> Result<(String, &'static str), String> {
    let encoding = choose(body, content_type, host);
    if encoding == REPLACEMENT {
        return Err(
            "the page's charset is one that browsers refuse for its dangers (ISO-2022-KR and the like)".to_owned()
        );
    }
    let (text, encoding, _) = encoding.decode(body);
    if !is_text(&text) {
        return Err(format!("what came as {} is not text ({} was tried)", content_type.essence, encoding.name()));
    }
    Ok((text.into_owned(), encoding.name()))
}

/// Bytes of any kind have one control character in ten; a text hardly any. What could not be decoded is borne longer: a
/// text with the wrong charset is still read in most languages.
fn is_text(text: &str) -> bool {
    let control = |c: char| matches!(c, '\0'..='\x08' | '\x0e'..='\x1a' | '\x1c'..='\x1f' | '\x7f');
    let (mut all, mut controls, mut lost) = (0, 0, 0);
    for c in text.chars().take(LOOKED_AT) {
        all += 1;
        controls += usize::from(control(c));
        lost += usize::from(c == '\u{fffd}');
    }
    controls <= 2 + all / 20 && lost * 5 <= all
}

fn choose(body: &[u8], content_type: &ContentType, host: &str) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(body) {
        return encoding;
    }
    let label = content_type.charset.as_deref().and_then(|label| Encoding::for_label(label.as_bytes()));
    if let Some(encoding) = label {
        return encoding;
    }
    if content_type.kind == Kind::Html
        && let Some(label) = declared::find(&body[..body.len().min(DECLARED_WITHIN)])
        && let Some(encoding) = Encoding::for_label(label.as_bytes())
    {
        return match encoding {
            // A page that could be read so far is not UTF-16, whatever it says.
            encoding if encoding == encoding_rs::UTF_16LE || encoding == encoding_rs::UTF_16BE => UTF_8,
            encoding if encoding == X_USER_DEFINED => WINDOWS_1252,
            encoding => encoding,
        };
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(&body[..body.len().min(GUESSED_FROM)], body.len() <= GUESSED_FROM);
    detector.guess(top_level_domain(host), Utf8Detection::Allow)
}

/// As the detector wants it: lower-case ASCII without dots.
fn top_level_domain(host: &str) -> Option<&[u8]> {
    let label = host.rsplit('.').next()?;
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (!label.is_empty() && label != host && label.bytes().all(fits)).then_some(label.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn html(charset: Option<&str>) -> ContentType {
        ContentType { kind: Kind::Html, essence: "text/html".to_owned(), charset: charset.map(str::to_owned) }
    }

    #[test]
    fn byte_order_mark_then_header_then_the_pages_word_then_a_guess() {
        let latin = b"<meta charset=utf-8><p>Stra\xdfe, caf\xe9";
        let cyrillic = encoding_rs::WINDOWS_1251.encode("<p>Съешь ещё этих мягких французских булок, да выпей чаю").0;
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("<p>Grüße".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        for (body, charset, host, name, contains) in [
            (&b"\xef\xbb\xbf<p>Gr\xc3\xbc\xc3\x9fe"[..], Some("iso-8859-1"), "a.example", "UTF-8", "Grüße"),
            (&utf16, None, "a.example", "UTF-16LE", "Grüße"),
            (latin, Some("ISO-8859-1"), "a.example", "windows-1252", "Straße, café"),
            (latin, None, "a.example", "UTF-8", "caf\u{fffd}"),
            (latin, Some("no-such-charset"), "a.example", "UTF-8", "caf\u{fffd}"),
            (
                b"<meta http-equiv=Content-Type content='text/html; charset=latin1'>caf\xe9",
                None,
                "a",
                "windows-1252",
                "café",
            ),
            (b"<?xml version='1.0' encoding=\"ISO-8859-15\"?><p>10 \xa4", None, "a", "ISO-8859-15", "10 €"),
            (b"<meta charset=utf-16><p>caf\xc3\xa9", None, "a", "UTF-8", "café"),
            (b"<p>caf\xc3\xa9 cr\xc3\xa8me", None, "a.example", "UTF-8", "café crème"),
            (b"<p>caf\xe9 cr\xe8me br\xfbl\xe9e", None, "a.fr", "windows-1252", "café crème brûlée"),
            (&cyrillic, None, "a.ru", "windows-1251", "французских"),
            (b"", None, "a.example", "UTF-8", ""),
        ] {
            let (text, found) = decode(body, &html(charset), host).unwrap();
            assert_eq!(found, name, "{contains}");
            assert!(text.contains(contains), "{text}");
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let noise: Vec<u8> = (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        assert!(decode(&noise, &html(Some("utf-8")), "a.example").unwrap_err().contains("not text"));
        assert!(decode(&[0; 64], &html(None), "a.example").unwrap_err().contains("not text"));
        assert!(decode(b"<p>x", &html(Some("iso-2022-kr")), "a.example").unwrap_err().contains("charset"));
        assert!(decode(&noise, &html(None), "a.example").unwrap_err().contains("not text"));
        assert!(decode(b"a\0b is text all the same", &html(None), "a.example").is_ok());
    }
}
