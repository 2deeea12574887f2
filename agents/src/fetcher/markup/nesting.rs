//! Which elements are open: what is written is always balanced, whatever the page does.

use std::collections::HashMap;

use super::elements::{ended_by, is_block, is_of_table, is_scope};

struct Open {
    /// As the page calls it.
    name: String,
    /// As it is written.
    written: String,
    /// Its end tag has been seen, inside a block that is still open: it ends with that.
    over: bool,
}

/// The open elements, outermost first.
#[derive(Default)]
pub struct Nesting {
    open: Vec<Open>,
    /// How many of each name.
    counts: HashMap<String, usize>,
}

impl Nesting {
    /// How many are open.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// Whether one of that name is open.
    pub fn is_within(&self, name: &str) -> bool {
        self.counts.get(name).is_some_and(|count| *count > 0)
    }

    /// A start tag that is written.
    pub fn begin(&mut self, name: &str, written: &str) {
        *self.counts.entry(name.to_owned()).or_default() += 1;
        self.open.push(Open { name: name.to_owned(), written: written.to_owned(), over: false });
    }

    /// Ends what a start tag of that name ends without saying so; the end tags go to `html`.
    pub fn make_way_for(&mut self, name: &str, html: &mut String) {
        let heading = |name: &str| matches!(name.as_bytes(), [b'h', b'1'..=b'6']);
        if is_block(name) && !is_of_table(name) && self.is_within("p") {
            self.end_where(|open| open == "p", is_scope, html);
        }
        if heading(name) {
            self.end_where(heading, |_| true, html);
        }
        if name == "a" {
            self.end_where(|open| open == "a", |open| is_block(open) || is_scope(open), html);
        }
        let (ended, until) = ended_by(name);
        if !ended.is_empty() {
            self.end_where(|open| ended.contains(&open), |open| until.contains(&open), html);
        }
    }

    /// An end tag.
    pub fn end(&mut self, name: &str, html: &mut String) {
        if !self.is_within(name) {
            return;
        }
        if is_of_table(name) || name == "table" {
            self.end_where(|open| open == name, |open| open == "table", html);
        } else if is_block(name) {
            self.end_where(|open| open == name, |open| open != name && is_scope(open), html);
        } else if !self.end_where(|open| open == name, |open| is_block(open) || is_scope(open), html)
            && let Some(open) = self.open.iter_mut().rev().find(|open| open.name == name && !open.over)
        {
            open.over = true;
        }
    }

    /// Ends all.
    pub fn finish(&mut self, html: &mut String) {
        self.cut(0, html);
    }

    /// Ends up to the innermost that is looked for, unless a barrier is met first.
    fn end_where(&mut self, wanted: impl Fn(&str) -> bool, barrier: impl Fn(&str) -> bool, html: &mut String) -> bool {
        for at in (0..self.open.len()).rev() {
            let name = &self.open[at].name;
            if wanted(name) {
                self.cut(at, html);
                while self.open.last().is_some_and(|open| open.over) {
                    self.cut(self.open.len() - 1, html);
                }
                return true;
            }
            if barrier(name) {
                return false;
            }
        }
        false
    }

    fn cut(&mut self, at: usize, html: &mut String) {
        for open in self.open.drain(at..).rev() {
            if let Some(count) = self.counts.get_mut(&open.name) {
                *count -= 1;
            }
            html.push_str("</");
            html.push_str(&open.written);
            html.push('>');
        }
    }
}
