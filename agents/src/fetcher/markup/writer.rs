//! Writes the tamed page, token by token.

use super::attributes::Attributes;
use super::elements::{is_block, is_skipped, is_skipped_until_block, is_structure, is_void, written};
use super::nesting::Nesting;
use super::words::{Words, escape, quote};
use super::{DEPTH, Head, TAGS, Tamed};
use crate::fetcher::json_ld;

/// Bytes of one JSON-LD, and how many of them.
const JSON_LD: usize = 256 * 1024;
const JSON_LDS: usize = 4;
const TITLE: usize = 2048;

#[derive(Default)]
pub struct Writer {
    html: String,
    head: Head,
    nesting: Nesting,
    words: Words,
    /// Start tags written, end tags looked at, JSON-LD met.
    tags: usize,
    ends: usize,
    data: usize,
    /// The start tag that is being read.
    name: String,
    attributes: Attributes,
    within: Within,
    /// Whether the page has its title: a document has one.
    titled: bool,
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
        self.name = short(name);
        self.attributes.clear();
    }

    pub fn attribute_name(&mut self, name: &[u8]) {
        self.attributes.name(name);
    }

    pub fn attribute_value(&mut self, value: &[u8]) {
        self.attributes.value(value);
    }

    /// The start tag is whole.
    pub fn opened(&mut self) {
        self.attributes.finish();
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
        let is_data = self.attributes.get("type").is_some_and(|kind| kind.eq_ignore_ascii_case("application/ld+json"));
        if name == "script" && is_data && self.data < JSON_LDS {
            self.data += 1;
            self.within = Within::Data(String::new());
        } else if name == "title" && !std::mem::replace(&mut self.titled, true) {
            self.within = Within::Title(String::new());
        } else if is_skipped(&name) || is_skipped_until_block(&name) {
            self.within = Within::Skipped { until_block: is_skipped_until_block(&name), name, depth: 1 };
        } else if !is_structure(&name) {
            self.begin(&name);
        }
    }

    fn begin(&mut self, name: &str) {
        if self.tags >= TAGS {
            return self.gap();
        }
        self.nesting.make_way_for(name, &mut self.html);
        let void = is_void(name) || name == "image";
        if !void && self.nesting.depth() >= DEPTH {
            return self.gap();
        }
        self.tags += 1;
        // A link that leads nowhere is a mark in the text, and is often never closed.
        let written = if name == "a" && self.attributes.get("href").is_none() { "span" } else { written(name) };
        self.html.push('<');
        self.html.push_str(written);
        self.attributes.write(&mut self.html);
        self.html.push('>');
        if !void {
            self.nesting.begin(name, written);
        }
    }

    /// Where a tag was left out; what it holds stays.
    fn gap(&mut self) {
        if !self.html.ends_with(' ') {
            self.html.push(' ');
        }
    }

    pub fn close(&mut self, name: &[u8]) {
        let name = short(name);
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
                self.html.push_str("<title>");
                text.chars().for_each(|c| escape(c, &mut self.html));
                self.html.push_str("</title>");
                self.within = Within::Page;
            }
            // All that is open is ended at the end anyway.
            Within::Page if self.ends >= 2 * TAGS => {}
            Within::Page => {
                self.ends += 1;
                match name.as_str() {
                    "br" if self.tags >= TAGS => self.gap(),
                    "br" => {
                        self.tags += 1;
                        self.html.push_str("<br>");
                    }
                    name => self.nesting.end(name, &mut self.html),
                }
            }
        }
    }

    pub fn text(&mut self, value: &[u8]) {
        let value = String::from_utf8_lossy(value);
        match &mut self.within {
            Within::Skipped { .. } => {}
            Within::Data(text) if text.len() + value.len() <= JSON_LD => text.push_str(&value),
            Within::Data(text) => text.clear(),
            Within::Title(text) => text.push_str(&value[..value.floor_char_boundary(TITLE.saturating_sub(text.len()))]),
            Within::Page => self.words.write(&value, self.nesting.is_within("pre"), &mut self.html),
        }
    }

    pub fn finish(mut self) -> Tamed {
        self.nesting.finish(&mut self.html);
        let mut html = String::with_capacity(self.html.len() + 64);
        html.push_str("<!DOCTYPE html><html");
        for (name, value) in [(" lang=", &self.head.lang), (" dir=", &self.head.dir)] {
            if let Some(value) = value {
                html.push_str(name);
                quote(value, &mut html);
            }
        }
        html.push('>');
        html.push_str(&self.html);
        html.push_str("</html>");
        Tamed { html, head: self.head, truncated: self.words.truncated }
    }
}

/// A tag's name; longer ones are nobody's.
fn short(name: &[u8]) -> String {
    String::from_utf8_lossy(&name[..name.len().min(64)]).to_ascii_lowercase()
}
