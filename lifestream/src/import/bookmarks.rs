//! A browser's bookmarks: the Netscape bookmark file, which every browser writes.
//!
//! No grammar of it was ever fixed: lists (`DL`) nest, a heading (`H3`) names the list after it, an anchor is a
//! bookmark, `DD` after it its description. End tags may be missing.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{BufRead, Read};
use std::rc::Rc;

use html5gum::emitters::default::{DefaultEmitter, StartTag};
use html5gum::{IoReader, Token, Tokenizer};

use super::lines::MOST_BYTES;
use super::{Draft, Drafted, Item, Link};

/// Deeper folders than any browser makes; what lies deeper has the tags of those above.
const DEEPEST: usize = 100;

/// Reads to the end, or until nobody takes items any more.
pub fn read(input: impl BufRead, take: &mut impl FnMut(Item) -> bool) -> anyhow::Result<()> {
    let newlines = Rc::new(RefCell::new(VecDeque::new()));
    let counted = Counted { input, newlines: Rc::clone(&newlines), offset: 0, line_start: 0 };
    let emitter = DefaultEmitter::<usize>::new_with_span();
    let tokenizer = Tokenizer::new_with_emitter(IoReader::new(counted), emitter);
    let mut file = Bookmarks::default();
    let mut line = 1;
    for token in tokenizer {
        match token? {
            Token::StartTag(tag) => {
                // Newlines before the tag.
                let mut newlines = newlines.borrow_mut();
                while newlines.front().is_some_and(|at| *at < tag.span.start) {
                    newlines.pop_front();
                    line += 1;
                }
                drop(newlines);
                if !file.start(&tag, line).is_none_or(&mut *take) {
                    return Ok(());
                }
            }
            Token::EndTag(tag) => {
                if !file.end(&tag.name).is_none_or(&mut *take) {
                    return Ok(());
                }
            }
            Token::String(text) => file.text(&String::from_utf8_lossy(&text)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    if let Some(item) = file.finish() {
        take(item);
    }
    Ok(())
}

/// Where text goes.
#[derive(Debug, Default, PartialEq, Eq)]
enum In {
    #[default]
    Nothing,
    Heading,
    Anchor,
    Description,
}

#[derive(Debug, Default)]
struct Bookmarks {
    place: In,
    /// Names of the lists that are open; `None` for one without a heading.
    folders: Vec<Option<String>>,
    heading: Option<String>,
    /// Waits for its title and description.
    pending: Option<(u64, Link)>,
}

impl Bookmarks {
    fn start(&mut self, tag: &StartTag<usize>, line: u64) -> Option<Item> {
        match tag.name.as_slice() {
            b"dl" => {
                let done = self.finish();
                self.folders.push(self.heading.take());
                done
            }
            b"h3" => {
                let done = self.finish();
                // The browser's own top folders are no words of the person's.
                let own = [&b"personal_toolbar_folder"[..], b"unfiled_bookmarks_folder"];
                if !own.iter().any(|name| tag.attributes.contains_key(*name)) {
                    (self.place, self.heading) = (In::Heading, Some(String::new()));
                }
                done
            }
            b"a" => {
                let done = self.finish();
                self.place = In::Anchor;
                self.pending = Some((line, self.link(tag)));
                done
            }
            b"dd" if self.pending.is_some() => {
                self.place = In::Description;
                None
            }
            b"dt" => self.finish(),
            _ => None,
        }
    }

    fn end(&mut self, name: &[u8]) -> Option<Item> {
        match name {
            b"dl" => {
                let done = self.finish();
                self.folders.pop();
                done
            }
            b"h3" | b"a" => {
                self.place = In::Nothing;
                None
            }
            _ => None,
        }
    }

    fn text(&mut self, text: &str) {
        match (&self.place, &mut self.heading, &mut self.pending) {
            (In::Heading, Some(heading), _) => heading.push_str(text),
            (In::Anchor, _, Some((_, link))) => link.title.push_str(text),
            (In::Description, _, Some((_, link))) => link.note.get_or_insert_default().push_str(text),
            _ => {}
        }
    }

    fn link(&self, tag: &StartTag<usize>) -> Link {
        let attribute = |name: &str| {
            tag.attributes.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value).trim().to_owned())
        };
        let folders = self.folders.iter().take(DEEPEST).flatten().map(|name| words(name));
        let own = attribute("tags").unwrap_or_default();
        let mut tags: Vec<String> = Vec::new();
        for tag in folders.chain(own.split(',').map(words)) {
            if !tag.is_empty() && !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        Link {
            url: attribute("href").unwrap_or_default(),
            title: String::new(),
            note: None,
            tags,
            added_at: attribute("add_date").and_then(|text| micros(&text)),
        }
    }

    /// The bookmark at hand is complete.
    fn finish(&mut self) -> Option<Item> {
        self.place = In::Nothing;
        let (line, mut link) = self.pending.take()?;
        link.title = words(&link.title);
        link.note = link.note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
        let scheme = link.url.split(':').next().unwrap_or_default().to_ascii_lowercase();
        Some(match scheme.as_str() {
            "http" | "https" => Item::Draft(Draft { line, event: Drafted::Link(link) }),
            _ => {
                let shown: String = link.url.chars().take(60).collect();
                Item::Skipped { line, reason: format!("{shown:?} is no http or https link") }
            }
        })
    }
}

/// Text on one line.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `ADD_DATE` counts seconds since 1970; some exporters write milliseconds or microseconds.
fn micros(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok().filter(|number| *number > 0)?;
    match number.ilog10() {
        ..11 => Some(number * 1_000_000),
        11..14 => Some(number * 1000),
        14..17 => Some(number),
        _ => None,
    }
}

/// Notes where lines end, takes out carriage returns and a byte order mark, and refuses lines without end.
struct Counted<R> {
    input: R,
    newlines: Rc<RefCell<VecDeque<usize>>>,
    offset: usize,
    line_start: usize,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(0);
            }
            let mut used = 0;
            let mut written = 0;
            for &byte in buffer.iter().take(out.len()) {
                used += 1;
                if byte == b'\r' {
                    continue;
                }
                out[written] = byte;
                written += 1;
                if byte == b'\n' {
                    self.newlines.borrow_mut().push_back(self.offset);
                    self.line_start = self.offset;
                }
                self.offset += 1;
            }
            self.input.consume(used);
            if self.offset - self.line_start > MOST_BYTES {
                return Err(std::io::Error::other(format!(
                    "a line is longer than {} MiB: this is no bookmarks file",
                    MOST_BYTES >> 20
                )));
            }
            if written > 0 {
                return Ok(written);
            }
        }
    }
}

#[cfg(test)]
mod tests;
