//! Text of the tamed page.

use super::TEXT;

/// References (`&amp;`) in one piece of text, and what each of them weighs against [`TEXT`].
const REFERENCES: usize = 500;
const REFERENCE: usize = 16;

/// How much text has been written.
#[derive(Default)]
pub struct Words {
    weight: usize,
    references: usize,
    /// Whether text was left out.
    pub truncated: bool,
}

impl Words {
    /// Text; blanks in a row are one, as they are shown.
    pub fn write(&mut self, text: &str, preformatted: bool, html: &mut String) {
        let mut blank = html.ends_with([' ', '\n']);
        for c in text.chars() {
            if c.is_ascii_whitespace() && !preformatted {
                if !blank {
                    html.push(' ');
                }
                blank = true;
                continue;
            }
            blank = false;
            let reference = matches!(c, '&' | '<' | '>');
            self.weight += if reference { REFERENCE } else { c.len_utf8() };
            if self.weight > TEXT {
                self.truncated = true;
                return;
            }
            self.references += usize::from(reference);
            // The tree builder appends each reference to the text before it, and copies that each time: a mark that
            // shows nothing begins a new piece.
            if self.references == REFERENCES {
                self.references = 0;
                html.push_str("<wbr>");
            }
            escape(c, html);
        }
    }
}

/// An attribute's value.
pub fn quote(text: &str, html: &mut String) {
    html.push('"');
    for c in text.chars() {
        match c {
            '"' => html.push_str("&quot;"),
            c => escape(c, html),
        }
    }
    html.push('"');
}

/// Without U+0000, which is no text.
pub fn escape(c: char, html: &mut String) {
    match c {
        '&' => html.push_str("&amp;"),
        '<' => html.push_str("&lt;"),
        '>' => html.push_str("&gt;"),
        '\0' => {}
        c => html.push(c),
    }
}
