//! The attributes of the start tag that is being read.

use super::words::quote;

/// Those that say something to a reader of articles; `style` for `display: none`.
const KNOWN: &[&str] = &[
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
const MOST: usize = 16;
/// Of one value; a longer one is left out with its attribute.
const VALUE: usize = 2048;

/// The attributes of the start tag that is being read.
#[derive(Default)]
pub struct Attributes {
    kept: Vec<(&'static str, String)>,
    /// The one whose value comes next, if one comes.
    pending: Option<&'static str>,
}

impl Attributes {
    /// A new tag begins.
    pub fn clear(&mut self) {
        self.kept.clear();
        self.pending = None;
    }

    /// The first of a name counts.
    pub fn name(&mut self, name: &[u8]) {
        self.keep("");
        let known = KNOWN.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(name));
        self.pending = known.copied().filter(|known| self.get(known).is_none());
    }

    pub fn value(&mut self, value: &[u8]) {
        match std::str::from_utf8(value) {
            Ok(value) if value.len() <= VALUE => self.keep(value),
            _ => self.pending = None,
        }
    }

    /// The tag ends: an attribute that had no value is empty.
    pub fn finish(&mut self) {
        self.keep("");
    }

    fn keep(&mut self, value: &str) {
        if let Some(name) = self.pending.take().filter(|_| self.kept.len() < MOST) {
            self.kept.push((name, value.to_owned()));
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.kept.iter().find(|(kept, _)| *kept == name).map(|(_, value)| value.trim())
    }

    pub fn write(&self, html: &mut String) {
        for (name, value) in &self.kept {
            html.push(' ');
            html.push_str(name);
            html.push('=');
            quote(value, html);
        }
    }
}
