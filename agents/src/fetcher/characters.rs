//! Which characters text may have, and how much of it is kept.

/// What neither PostgreSQL nor a reader can do anything with: control characters (U+0000 is no text to PostgreSQL at all),
/// noncharacters, the byte order mark within a text.
fn is_invalid(c: char) -> bool {
    let code = u32::from(c);
    (c.is_control() && c != '\n' && c != '\t')
        || c == '\u{feff}'
        || (0xfdd0..=0xfdef).contains(&code)
        || code & 0xfffe == 0xfffe
}

/// Turns the direction of what follows; in a title it would turn a page around it.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

/// A text of many lines: no invalid characters, `\n` between lines, no blanks at their ends, at most one empty line.
pub fn text(raw: &str) -> String {
    let mut clean = String::with_capacity(raw.len());
    let mut empty = 0;
    for line in raw.replace("\r\n", "\n").split(['\n', '\r']) {
        let start = clean.len();
        clean.extend(line.chars().filter(|c| !is_invalid(*c)));
        let kept = start + clean[start..].trim_end().len();
        clean.truncate(kept);
        empty = if kept == start { empty + 1 } else { 0 };
        if empty < 2 {
            clean.push('\n');
        }
    }
    let end = clean.trim_end().len();
    clean.truncate(end);
    let begin = clean.len() - clean.trim_start_matches('\n').len();
    clean.drain(..begin);
    clean
}

/// A line of at most so many characters: no invalid ones, none that turn directions, single blanks; none if nothing is left.
pub fn line(raw: &str, most: usize) -> Option<String> {
    let mut clean = String::new();
    for word in raw.split_whitespace() {
        let word: String = word.chars().filter(|c| !is_invalid(*c) && !is_direction(*c)).take(most + 1).collect();
        if word.is_empty() {
            continue;
        }
        if !clean.is_empty() {
            clean.push(' ');
        }
        clean.push_str(&word);
        if clean.len() > most * 4 {
            break;
        }
    }
    if let Some((end, _)) = clean.char_indices().nth(most) {
        clean.truncate(end);
        clean.pop();
        clean.push('…');
    }
    (!clean.is_empty()).then_some(clean)
}

/// Cuts to so many bytes, between characters, at the end of a word if one is near; says whether anything was cut.
pub fn cut(text: &mut String, most: usize) -> bool {
    if text.len() <= most {
        return false;
    }
    let end = text.floor_char_boundary(most);
    let near = text.floor_char_boundary(end.saturating_sub(200));
    let end = text[near..end].rfind(char::is_whitespace).map_or(end, |blank| near + blank);
    text.truncate(end);
    let end = text.trim_end().len();
    text.truncate(end);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_its_lines_and_loses_what_is_invalid() {
        for (raw, expected) in [
            ("a\0b", "ab"),
            ("\r\n\n a \r\nb\rc\n\n\n\n\nd\t\n\n", " a\nb\nc\n\nd"),
            ("x\u{1b}[31m\u{85}\u{9f}\u{fffe}\u{fdd0}\u{10ffff}y", "x[31my"),
            ("\u{feff}BOM", "BOM"),
            ("e\u{301} \u{fffd} 👩‍🚀", "e\u{301} \u{fffd} 👩‍🚀"),
            ("\0\0\n \n", ""),
        ] {
            assert_eq!(text(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn a_line_is_one_line_of_bounded_length() {
        assert_eq!(line("  a\n\t b\u{202e}c \0 ", 100).as_deref(), Some("a bc"));
        assert_eq!(line(" \n\0", 100), None);
        assert_eq!(line("äöüß", 4).as_deref(), Some("äöüß"));
        assert_eq!(line("äöüßx", 4).as_deref(), Some("äöü…"));
        assert_eq!(line(&"x".repeat(1_000_000), 10).map(|line| line.chars().count()), Some(10));
    }

    #[test]
    fn a_cut_is_between_characters() {
        for most in 0..40 {
            let mut cut_text = "Füße über Füße, 👩‍🚀 und mehr".to_owned();
            assert!(cut(&mut cut_text, most));
            assert!(cut_text.len() <= most);
        }
        let mut short = "kurz".to_owned();
        assert!(!cut(&mut short, 4));
    }
}
