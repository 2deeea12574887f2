//! Writes the tamed page, token by token.

use super::elements::{is_block, is_skipped, is_skipped_until_block, is_structure, is_void, written};
use super::nesting::Nesting;
use super::{DEPTH, Head, TAGS, TEXT, Tamed};
use crate::fetcher::json_ld;

/// Attributes that say something to a reader of articles; `style` for `display: none`.
const ATTRIBUTES: &[&str] = &[
    "alt",
    "aria-hidden",
    "class",
    "content",
    "data-src",
    "data-srcset",
    "datetime",
    "dir",
    "hidden",
    "href",
    "id",
    "itemprop",
    "itemscope",
    "itemtype",
    "lang",
    "name",
    "property",
    "rel",
    "role",
    "src",
    "srcset",
    "style",
    "type",
    "xml:lang",
];
const MOST_ATTRIBUTES: usize = 16;
/// Of one value; a longer one is left out with its attribute.
const VALUE: usize = 2048;
const JSON_LD: usize = 256 * 1024;
const TITLE: usize = 2048;

#[derive(Default)]
pub struct Writer {
    html: String,
    head: Head,
    nesting: Nesting,
    tags: usize,
    ends: usize,
    text: usize,
    truncated: bool,
    /// The start tag that is being read.
    name: String,
    attributes: Vec<(String, String)>,
    attribute: Option<String>,
    within: Within,
}

/// What text belongs to.
#[derive(Default)]
enum Within {
    #[default]
    Page,
    /// Nothing to read, until this ends; and until a block begins, where that is so.
    Skipped { name: String, until_block: bool, depth: usize },
    /// JSON-LD, gathered.
    Data(String),
    /// The page's title, gathered.
    Title(String),
}

impl Writer {
    pub fn open(&mut self, name: &[u8]) {
        self.name = String::from_utf8_lossy(&name[..name.len().min(64)]).to_ascii_lowercase();
        self.attributes.clear();
        self.attribute = None;
    }

    pub fn attribute_name(&mut self, name: &[u8]) {
        self.keep_attribute("");
        let known = |known: &&&str| known.as_bytes().eq_ignore_ascii_case(name);
        let new = |known: &&str| !self.attributes.iter().any(|(name, _)| name == known);
        self.attribute = ATTRIBUTES.iter().find(known).copied().filter(new).map(str::to_owned);
    }

    pub fn attribute_value(&mut self, value: &[u8]) {
        match std::str::from_utf8(value) {
            Ok(value) if value.len() <= VALUE => self.keep_attribute(value),
            _ => self.attribute = None,
        }
    }

    fn keep_attribute(&mut self, value: &str) {
        if let Some(name) = self.attribute.take().filter(|_| self.attributes.len() < MOST_ATTRIBUTES) {
            self.attributes.push((name, value.to_owned()));
        }
    }

    fn attribute_is(&self, name: &str, value: &str) -> bool {
        self.attributes.iter().any(|(n, v)| n == name && v.trim().eq_ignore_ascii_case(value))
    }

    /// The start tag is whole.
    pub fn opened(&mut self) {
        self.keep_attribute("");
        let name = std::mem::take(&mut self.name);
        match &mut self.within {
            Within::Skipped { until_block: true, .. } if is_block(&name) => self.within = Within::Page,
            Within::Skipped { name: skipped, depth, .. } => {
                *depth += usize::from(*skipped == name);
                return;
            }
            Within::Data(_) | Within::Title(_) => return,
            Within::Page => {}
        }
        self.head.look(&name, &self.attributes, self.nesting.is_within("article"));
        if name == "script" && self.attribute_is("type", "application/ld+json") {
            self.within = Within::Data(String::new());
        } else if name == "title" {
            self.within = Within::Title(String::new());
        } else if is_skipped(&name) || is_skipped_until_block(&name) {
            self.within = Within::Skipped { until_block: is_skipped_until_block(&name), name, depth: 1 };
        } else if !is_structure(&name) {
            self.begin(&name);
        }
    }

    fn begin(&mut self, name: &str) {
        if self.tags >= TAGS {
            return self.html.push(' ');
        }
        self.nesting.make_way_for(name, &mut self.html);
        let void = is_void(name) || name == "image";
        // What is one too many leaves its text.
        if !void && self.nesting.depth() >= DEPTH {
            return self.html.push(' ');
        }
        self.tags += 1;
        // A link that leads nowhere is a mark in the text, and is often never closed.
        let leads = self.attributes.iter().any(|(name, _)| name == "href");
        let written = if name == "a" && !leads { "span" } else { written(name) };
        self.html.push('<');
        self.html.push_str(written);
        for (name, value) in &self.attributes {
            self.html.push(' ');
            self.html.push_str(name);
            self.html.push_str("=\"");
            escape(value, &mut self.html);
            self.html.push('"');
        }
        self.html.push('>');
        if !void {
            self.nesting.begin(name, written);
        }
    }

    pub fn close(&mut self, name: &[u8]) {
        let name = String::from_utf8_lossy(&name[..name.len().min(64)]).to_ascii_lowercase();
        match &mut self.within {
            Within::Skipped { name: skipped, depth, .. } => {
                *depth -= usize::from(*skipped == name);
                if *depth == 0 {
                    self.within = Within::Page;
                }
            }
            Within::Data(text) => {
                if let Some(data) = json_ld::tidy(text) {
                    self.html.push_str("<script type=\"application/ld+json\">");
                    self.html.push_str(&data);
                    self.html.push_str("</script>");
                }
                self.within = Within::Page;
            }
            Within::Title(text) => {
                let text = std::mem::take(text);
                self.within = Within::Page;
                self.title(&text);
            }
            // All that is open is ended at the end anyway.
            Within::Page if self.ends >= 2 * TAGS => {}
            Within::Page => {
                self.ends += 1;
                match name.as_str() {
                    "br" => self.html.push_str("<br>"),
                    name => self.nesting.end(name, &mut self.html),
                }
            }
        }
    }

    fn title(&mut self, text: &str) {
        self.html.push_str("<title>");
        escape(text, &mut self.html);
        self.html.push_str("</title>");
    }

    pub fn text(&mut self, value: &[u8]) {
        let value = String::from_utf8_lossy(value);
        match &mut self.within {
            Within::Skipped { .. } => {}
            Within::Data(text) if text.len() + value.len() <= JSON_LD => text.push_str(&value),
            Within::Data(text) => text.clear(),
            Within::Title(text) => text.push_str(&value[..value.floor_char_boundary(TITLE.saturating_sub(text.len()))]),
            Within::Page => {
                let kept = value.floor_char_boundary(TEXT.saturating_sub(self.text));
                self.truncated |= kept < value.len();
                self.text += kept;
                escape(&value[..kept], &mut self.html);
            }
        }
    }

    pub fn finish(mut self) -> Tamed {
        self.nesting.finish(&mut self.html);
        let mut html = String::with_capacity(self.html.len() + 64);
        html.push_str("<!DOCTYPE html><html");
        for (name, value) in [("lang", &self.head.lang), ("dir", &self.head.dir)] {
            if let Some(value) = value {
                html.push_str(&format!(" {name}=\""));
                escape(value, &mut html);
                html.push('"');
            }
        }
        html.push('>');
        html.push_str(&self.html);
        html.push_str("</html>");
        Tamed { html, head: self.head, truncated: self.truncated }
    }
}

/// Without U+0000, which is no text.
fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\0' => {}
            c => html.push(c),
        }
    }
}
