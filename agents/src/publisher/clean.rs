//! Text of strangers, made fit for a page and for XML: what a browser, a feed reader or a terminal would obey goes.

use unicode_segmentation::UnicodeSegmentation;

use crate::invisible::is_invisible;

/// The longest title, in characters as people count them.
pub const TITLE: usize = 300;
/// The longest name of a site, a person, a topic or a tag.
pub const NAME: usize = 80;
/// The longest summary.
pub const SUMMARY: usize = 2000;

/// One character as people count them is made of at most so many code points: a family of emoji needs eleven, a stack of
/// accents that runs over the lines around it has hundreds.
const POINTS: usize = 12;

/// One line: trimmed, blanks joined, no longer than `longest`. Empty where nothing of it would be seen.
pub fn line(text: &str, longest: usize) -> String {
    let mut clean = String::new();
    for word in text.split(is_blank) {
        let word: String = word.chars().filter(|c| !is_refused(*c)).collect();
        if !word.is_empty() {
            if !clean.is_empty() {
                clean.push(' ');
            }
            clean.push_str(&word);
        }
    }
    let shortened = shortened(&clean, longest);
    if shortened.chars().all(is_unseen) { String::new() } else { shortened }
}

/// Lines of text as paragraphs, none of them empty; all together no longer than `longest`.
pub fn paragraphs(text: &str, longest: usize) -> Vec<String> {
    let mut left = longest;
    let mut paragraphs = Vec::new();
    for part in text.split(['\n', '\r', '\u{2028}', '\u{2029}']) {
        let part = line(part, left);
        if !part.is_empty() && left > 0 {
            left = left.saturating_sub(part.graphemes(true).count());
            paragraphs.push(part);
        }
    }
    paragraphs
}

fn shortened(text: &str, longest: usize) -> String {
    let mut rest = text.graphemes(true);
    let mut kept: String = rest.by_ref().take(longest).flat_map(|whole| whole.chars().take(POINTS)).collect();
    if rest.next().is_some() {
        kept.truncate(kept.trim_end().len());
        kept.push('…');
    }
    kept
}

/// Shows nothing where it stands alone: a blank, that of Braille too, or a mark that is only seen by what it does to others.
fn is_unseen(c: char) -> bool {
    is_blank(c) || c == '\u{2800}' || is_invisible(c)
}

/// Separates words. U+0085 and U+001C to U+001F are among them, as Unicode and old tools see them.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// What no page needs: controls (most are not even allowed in XML 1.0), what turns the direction of the text around it,
/// marks that nobody sees, and code points that Unicode says are no characters.
fn is_refused(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffc}' | '\u{fdd0}'..='\u{fdef}' | '\u{e0000}'..='\u{e007f}')
        || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_obeyed_goes_and_what_is_text_stays() {
        for (text, expected) in [
            ("  two \t\n words ", "two words"),
            ("nul\0, bell\u{7}, escape\u{1b}[31m, delete\u{7f}", "nul, bell, escape[31m, delete"),
            ("C1 \u{9b}31m and next\u{85}line", "C1 31m and next line"),
            ("\u{202e}evil\u{202c} \u{2066}isolate\u{2069}", "evil isolate"),
            ("\u{feff}\u{fffe}\u{ffff}\u{1fffe}noncharacters\u{fdd0}", "noncharacters"),
            ("hidden\u{e0069}\u{e0067}\u{e006e} words", "hidden words"),
            ("<script>alert(1)</script> ]]> &amp;", "<script>alert(1)</script> ]]> &amp;"),
            ("שלום עולם, مرحبا", "שלום עולם, مرحبا"),
            ("👩‍👩‍👧‍👦 and 🇩🇪", "👩‍👩‍👧‍👦 and 🇩🇪"),
            ("\u{2028}\u{2029}", ""),
            ("\u{200b}\u{200d} \u{2800}", ""),
            ("می\u{200c}خواهم ☺\u{fe0f}", "می\u{200c}خواهم ☺\u{fe0f}"),
        ] {
            assert_eq!(line(text, 100), expected, "{text:?}");
        }
    }

    #[test]
    fn nothing_is_longer_than_its_place() {
        assert_eq!(line(&"x".repeat(10_000), 5), "xxxxx…");
        assert_eq!(line("ab cd", 3), "ab…", "no blank before the ellipsis");
        assert_eq!(line("abc", 3), "abc");
        let stacked = line(&format!("a{} b", "\u{301}".repeat(1000)), 10);
        assert_eq!((stacked.chars().count(), stacked.ends_with(" b")), (POINTS + 2, true));
        assert_eq!(paragraphs("one\n\n \r\ntwo", 100), ["one", "two"]);
        assert_eq!(paragraphs(&"ten letter\n".repeat(5), 15), ["ten letter", "ten l…"]);
    }
}
