//! From markup to text for reading: paragraphs with an empty line between, blanks as a browser shows them.

use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

use super::characters;

/// The text of markup that is clean: tamed, or sanitised.
pub fn of(html: &str) -> String {
    let mut flow = Flow::default();
    let callback = |event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
        match event {
            CallbackEvent::OpenStartTag { name } => flow.begin(name),
            CallbackEvent::EndTag { name } => flow.end(name),
            CallbackEvent::String { value } => flow.text(&String::from_utf8_lossy(value)),
            _ => {}
        }
        None
    };
    let mut emitter = CallbackEmitter::new(callback);
    emitter.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(html, emitter).finish();
    characters::text(&flow.text)
}

#[derive(Default)]
struct Flow {
    text: String,
    /// Line ends due before the next word; they win over a blank.
    breaks: usize,
    blank: bool,
    preformatted: usize,
    /// In what is no text: the page's title, data.
    hidden: bool,
}

/// How many line ends stand around an element.
fn breaks(name: &[u8]) -> usize {
    match name {
        b"br" | b"li" | b"tr" | b"dt" | b"dd" | b"option" => 1,
        b"p" | b"div" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"blockquote" | b"pre" | b"ul" | b"ol"
        | b"dl" | b"table" | b"section" | b"article" | b"aside" | b"header" | b"footer" | b"main" | b"nav"
        | b"figure" | b"figcaption" | b"hr" | b"address" | b"details" | b"summary" | b"form" | b"fieldset"
        | b"caption" => 2,
        _ => 0,
    }
}

impl Flow {
    fn begin(&mut self, name: &[u8]) {
        self.hidden |= matches!(name, b"title" | b"script");
        self.around(name);
        self.preformatted += usize::from(name == b"pre");
    }

    fn end(&mut self, name: &[u8]) {
        self.hidden &= !matches!(name, b"title" | b"script");
        self.preformatted = self.preformatted.saturating_sub(usize::from(name == b"pre"));
        if name != b"br" {
            self.around(name);
        }
    }

    fn around(&mut self, name: &[u8]) {
        match breaks(name) {
            1 if name == b"br" => self.breaks += 1,
            count => self.breaks = self.breaks.max(count),
        }
        self.blank |= matches!(name, b"td" | b"th" | b"img");
    }

    fn text(&mut self, text: &str) {
        if self.hidden {
            return;
        }
        for c in text.chars() {
            if c == '\n' && self.preformatted > 0 {
                self.breaks += 1;
            } else if c.is_whitespace() && self.preformatted == 0 {
                self.blank = true;
            } else {
                self.gap();
                self.text.push(c);
            }
        }
    }

    fn gap(&mut self) {
        let (breaks, blank) = (std::mem::take(&mut self.breaks), std::mem::take(&mut self.blank));
        if self.text.is_empty() {
            return;
        }
        match breaks {
            0 if blank => self.text.push(' '),
            0 => {}
            1 => self.text.push('\n'),
            _ => self.text.push_str("\n\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_lists_tables_and_code_are_told_apart() {
        for (html, expected) in [
            ("<p>a\n  b</p><p>c</p>", "a b\n\nc"),
            ("<div><div>a</div></div>b", "a\n\nb"),
            ("a<br>b<br><br>c", "a\nb\n\nc"),
            ("<ul><li>a</li><li><p>b</p></li></ul>c", "a\n\nb\n\nc"),
            ("<p>a <b> b</b><i>c</i> , d</p>", "a bc , d"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
            ("<pre>fn a() {\n    b\n}</pre>", "fn a() {\n    b\n}"),
            ("<title>t</title><script type=x>{\"a\":1}</script>a", "a"),
            ("a\u{a0}&lt;p&gt;", "a <p>"),
            ("", ""),
        ] {
            assert_eq!(of(html), expected, "{html}");
        }
    }
}
