//! A model's answer: read leniently, checked strictly.
//!
//! Only tags, summary and topic are ever looked at. Whatever else an answer holds (another subject, events, orders)
//! goes nowhere, and what the three hold is plain text of bounded size.

use serde_json::{Map, Value};

use super::budget;
use super::clean::plain;
use super::tags::{self, KnownTags};

/// Longer is no answer but something else, and is not read.
const LONGEST: usize = 64 * 1024;
/// The longest summary that is kept, in tokens of [`budget`]: some 600 letters.
const SUMMARY: usize = 150;
/// The longest topic, in characters and words: more is a sentence.
const TOPIC: (usize, usize) = (60, 6);

/// A checked answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// One to eight, in their one form.
    pub tags: Vec<String>,
    /// One line of plain text, not empty.
    pub summary: String,
    /// A few words of plain text, not empty.
    pub topic: String,
}

/// Reads an answer's text.
///
/// # Errors
/// What is wrong with it, in words for the model. They quote nothing of the answer, which may quote the page.
pub fn read(text: &str, known: &KnownTags) -> Result<Answer, &'static str> {
    if text.len() > LONGEST {
        return Err("it is too long");
    }
    let object = object(text)?;
    let member = |name: &str| {
        let found = object.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value).filter(|value| !value.is_null())
    };
    let proposed = strings(member("tags").ok_or("\"tags\" is missing")?);
    // Some models give one string with all of them.
    let tags = tags::chosen(proposed.iter().flat_map(|tags| tags.split([',', ';', '\n'])), known);
    if tags.is_empty() {
        return Err("\"tags\" must be an array of 1 to 8 short tags, each a string of at most 4 words");
    }
    let summary = strings(member("summary").ok_or("\"summary\" is missing")?).join(" ");
    let summary = budget::cut(&plain(&summary), SUMMARY).to_owned();
    if !summary.chars().any(char::is_alphanumeric) {
        return Err("\"summary\" must be a string of one to three sentences of plain text");
    }
    let topic = strings(member("topic").ok_or("\"topic\" is missing")?).into_iter().next().unwrap_or_default();
    let topic = plain(&topic);
    let short = topic.chars().count() <= TOPIC.0 && topic.split(' ').count() <= TOPIC.1;
    if !short || !topic.chars().any(char::is_alphanumeric) {
        return Err("\"topic\" must be a string of 1 to 6 words of plain text");
    }
    Ok(Answer { tags, summary, topic })
}

/// The one object in the text that has a member of the answer; prose and code fences around it do not matter. Two of
/// them are not chosen between: one may be a quotation from the page.
fn object(text: &str) -> Result<Map<String, Value>, &'static str> {
    let mut found: Vec<Map<String, Value>> = Vec::new();
    // What a model thinks aloud before its answer is none.
    let mut rest = text.rsplit("</think>").next().unwrap_or(text);
    // A bound on tries, for each may read to the end of the text.
    for _ in 0..64 {
        let Some(at) = rest.find('{') else { break };
        rest = &rest[at..];
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Map<String, Value>>();
        match values.next() {
            Some(Ok(object)) => {
                rest = &rest[values.byte_offset()..];
                found.push(object);
            }
            _ => rest = &rest[1..],
        }
    }
    let has_member = |object: &Map<String, Value>| {
        let names = ["tags", "summary", "topic"];
        object.keys().any(|key| names.iter().any(|name| key.trim().eq_ignore_ascii_case(name)))
    };
    // Some models put the answer into a member of its own, such as "result".
    let unwrapped = found.into_iter().filter_map(|object| match (has_member(&object), object.len()) {
        (true, _) => Some(object),
        (false, 1) => object.into_values().next()?.as_object().filter(|inner| has_member(inner)).cloned(),
        (false, _) => None,
    });
    let mut answers: Vec<_> = unwrapped.collect();
    match (answers.pop(), answers.is_empty()) {
        (Some(answer), true) => Ok(answer),
        (Some(_), false) => Err("there is more than one JSON object in it"),
        (None, _) => Err("there is no JSON object with tags, summary and topic in it"),
    }
}

/// The strings that a value stands for: itself; those of an array; the name in an object. Anything else is none.
fn strings(value: &Value) -> Vec<String> {
    const NAMES: [&str; 5] = ["tag", "name", "label", "value", "text"];
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().take(64).flat_map(strings).collect(),
        Value::Object(object) => {
            NAMES.iter().find_map(|name| object.get(*name)?.as_str()).map(str::to_owned).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
#[path = "answer/tests.rs"]
mod tests;
