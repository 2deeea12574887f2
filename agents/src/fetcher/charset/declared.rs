//! What a page says of its own charset: the XML declaration, `<meta charset>`, `<meta http-equiv=content-type>`.

use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

/// The label that the beginning of a page gives, whatever it is.
pub fn find(beginning: &[u8]) -> Option<String> {
    xml(beginning).or_else(|| meta(beginning))
}

fn xml(beginning: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(beginning.strip_prefix(b"<?xml")?).into_owned();
    value(text.split_once("?>")?.0, "encoding")
}

fn meta(beginning: &[u8]) -> Option<String> {
    let mut found = None;
    let mut tag = Meta::default();
    let callback = |event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
        match event {
            CallbackEvent::OpenStartTag { name } => tag = Meta { is: name == b"meta", ..Meta::default() },
            CallbackEvent::AttributeName { name } => tag.attribute = name.to_ascii_lowercase(),
            CallbackEvent::AttributeValue { value } if tag.is => {
                let text = String::from_utf8_lossy(value).into_owned();
                match tag.attribute.as_slice() {
                    b"charset" => tag.charset = Some(text),
                    b"http-equiv" => tag.is_type = text.eq_ignore_ascii_case("content-type"),
                    b"content" => tag.content = text,
                    _ => {}
                }
            }
            CallbackEvent::CloseStartTag { .. } if tag.is && found.is_none() => {
                let in_content = || value(&tag.content, "charset").filter(|_| tag.is_type);
                found = tag.charset.take().or_else(in_content);
            }
            _ => {}
        }
        None
    };
    let mut emitter = CallbackEmitter::new(callback);
    emitter.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(beginning, emitter).finish();
    found
}

#[derive(Default)]
struct Meta {
    is: bool,
    attribute: Vec<u8>,
    charset: Option<String>,
    is_type: bool,
    content: String,
}

/// What stands after `name=` in a text of such pairs, quoted or not.
fn value(text: &str, name: &str) -> Option<String> {
    let at = text.to_ascii_lowercase().find(name)? + name.len();
    let rest = text.get(at..)?.trim_start().strip_prefix('=')?.trim_start();
    let end = |c: char| c == ';' || c.is_whitespace();
    let found = match rest.chars().next()? {
        quote @ ('"' | '\'') => rest.get(1..)?.split(quote).next()?,
        _ => rest.split(end).next()?,
    };
    Some(found.trim().to_owned()).filter(|label| !label.is_empty())
}
