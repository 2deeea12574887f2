//! Tames a page before a DOM is made of it.
//!
//! HTML parsers that build a tree take quadratic time, or all memory, over what no honest page does: a hundred thousand
//! nested or misnested tags, formatting elements that are opened anew in every paragraph, a tag with a million attributes.
//! This pass reads tokens only (linear, html5gum) and writes markup that a tree builder has no trouble with: balanced,
//! of bounded depth, number and size, and without what no article needs.

mod attributes;
mod elements;
mod head;
mod nesting;
mod words;
mod writer;

use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

pub use head::Head;
use writer::Writer;

/// Deepest nesting, most tags, most bytes of text that get through. Real pages stay far below.
pub const DEPTH: usize = 128;
pub const TAGS: usize = 60_000;
pub const TEXT: usize = 2 << 20;

/// A page that a tree builder can bear.
#[derive(Debug, Default)]
pub struct Tamed {
    /// The page.
    pub html: String,
    /// What its tags say of it.
    pub head: Head,
    /// Whether text was left out.
    pub truncated: bool,
}

/// Tames a page.
pub fn tame(page: &str) -> Tamed {
    let mut writer = Writer::default();
    let callback = |event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
        match event {
            CallbackEvent::OpenStartTag { name } => writer.open(name),
            CallbackEvent::AttributeName { name } => writer.attribute_name(name),
            CallbackEvent::AttributeValue { value } => writer.attribute_value(value),
            CallbackEvent::CloseStartTag { .. } => writer.opened(),
            CallbackEvent::EndTag { name } => writer.close(name),
            CallbackEvent::String { value } => writer.text(value),
            CallbackEvent::Comment { .. } | CallbackEvent::Doctype { .. } | CallbackEvent::Error(_) => {}
        }
        None
    };
    let mut emitter = CallbackEmitter::new(callback);
    emitter.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(page, emitter).finish();
    writer.finish()
}

#[cfg(test)]
mod tests;
