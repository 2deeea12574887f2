//! Plain text from what a page or a model wrote: without control and invisible characters, markup and addresses.
//!
//! This is no replacement for escaping where the text is shown; it keeps out what has no business in a summary.

use crate::invisible;

/// One line of plain text. What is left of hostile input may be empty.
pub fn plain(text: &str) -> String {
    let visible: String =
        text.chars().filter(|c| !is_invisible(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = without_tags(unlinked(&visible));
    let words = text.split_whitespace().filter(|word| !is_address(word)).map(unmarked).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Characters that show nothing, or turn the direction of what follows: fit to hide and to disguise. The two joiners
/// (U+200C, U+200D) are not among them, for Persian and Hindi are spelled with them.
pub fn is_invisible(c: char) -> bool {
    (invisible::is_invisible(c) && !matches!(c, '\u{200c}' | '\u{200d}')) || matches!(c, '\u{fff9}'..='\u{fffb}')
}

/// What stands inside of a removed tag may make another one: `<<b>script>`. Who nests them deeper than anybody writes by
/// chance loses every `<`: a round for each would take quadratic time.
fn without_tags(mut text: String) -> String {
    const ROUNDS: usize = 8;
    for _ in 0..ROUNDS {
        let shorter = untagged(&text);
        if shorter.len() == text.len() {
            return text;
        }
        text = shorter;
    }
    text.retain(|c| c != '<');
    text
}

/// Without what looks like a tag of HTML. A `<` that begins none (`a < b`) stays.
fn untagged(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    let mut ends = true;
    while let Some(at) = rest.find('<') {
        let (before, from) = rest.split_at(at);
        kept.push_str(before);
        rest = &from[1..];
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            kept.push('<');
            continue;
        }
        // A tag that never ends loses its `<` only; after one such there is no other to look for an end of.
        let end = if ends { rest.find('>') } else { None };
        ends = end.is_some();
        if let Some(end) = end {
            // A word on either side of a tag stays a word.
            kept.push(' ');
            rest = &rest[end + 1..];
        }
    }
    kept.push_str(rest);
    kept
}

/// Links and images of Markdown, `[text](address)`, become their text.
fn unlinked(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("](") {
        let (before, from) = rest.split_at(at);
        let Some(end) = from.find(')') else { break };
        match before.rfind('[') {
            Some(open) => {
                kept.push_str(before[..open].strip_suffix('!').unwrap_or(&before[..open]));
                kept.push_str(&before[open + 1..]);
            }
            None => kept.push_str(before),
        }
        rest = &from[end + 1..];
    }
    kept.push_str(rest);
    kept
}

/// Whether a word holds an address that a reader's program might make a link of, or run.
fn is_address(word: &str) -> bool {
    const SCHEMES: [&str; 6] = ["www.", "mailto:", "javascript:", "data:", "vbscript:", "tel:"];
    let word = word.to_lowercase();
    word.contains("://") || SCHEMES.iter().any(|scheme| word.contains(scheme))
}

/// Without the marks of Markdown around a word.
fn unmarked(word: &str) -> &str {
    let marks: &[char] =
        if word.contains("**") || word.contains('`') || word.contains("__") { &['*', '`', '_'] } else { &[] };
    let word = word.trim_matches(marks);
    if !word.is_empty() && word.chars().all(|c| matches!(c, '#' | '*' | '`' | '_')) { "" } else { word }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markup_addresses_and_control_characters_go_and_words_stay() {
        for (given, expected) in [
            ("Plain text, as it should be.", "Plain text, as it should be."),
            ("two\nlines\tand\u{0}a zero\r\n", "two lines and a zero"),
            ("a <b>bold</b> word", "a bold word"),
            ("<script>alert(1)</script>x", "alert(1) x"),
            ("<<b>script>alert(1)<</b>/script>", "< script>alert(1)< /script>"),
            ("an <img src=x onerror=alert(1)> image", "an image"),
            ("a tag that never ends <img src=x", "a tag that never ends img src=x"),
            ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
            ("see https://evil.example/?q=1 for more", "see for more"),
            ("see [the site](https://evil.example) now", "see the site now"),
            ("![pixel](http://evil.example/p.png) seen", "pixel seen"),
            ("click JavaScript:alert(1) or www.evil.example", "click or"),
            ("**Bold** and `code` and # heading", "Bold and code and heading"),
            ("C# and snake_case stay", "C# and snake_case stay"),
            ("in\u{200b}visible \u{202e}txet\u{202c}", "invisible txet"),
            ("", ""),
            ("<b></b>", ""),
            ("<<<<<<<<<<<<b", "b"),
        ] {
            assert_eq!(plain(given), expected, "{given:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_of_it_is_left_whatever_is_given(text in r"(\PC|[<>\[\]()!/#*`:a-c\x00-\x1f]|<b>|\]\(|://|www\.){0,60}") {
            let clean = plain(&text);
            prop_assert!(!clean.chars().any(|c| c.is_control() || is_invisible(c)), "{clean:?}");
            prop_assert!(!clean.contains("://") && !clean.to_lowercase().contains("www."), "{clean:?}");
            prop_assert!(!clean.contains("<b>") && !clean.contains("</"), "{clean:?}");
            prop_assert_eq!(clean.trim(), clean.as_str());
        }
    }
}
