//! Chat completions as they are written and read. Only what is needed is looked at, in any form that servers give it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::prompt::Message;
use super::refusal::Words;

/// Room for an answer, and for what a model thinks before it.
const MOST_TOKENS: u32 = 2_000;

/// A request's body.
#[derive(Debug, Serialize)]
pub struct Request<'a> {
    model: &'a str,
    messages: &'a [Message],
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
}

impl<'a> Request<'a> {
    /// Asks `model`, with what it takes beside the messages.
    pub fn new(model: &'a str, messages: &'a [Message], extras: Extras) -> Self {
        Self {
            model,
            messages,
            temperature: extras.has(Extras::TEMPERATURE).then_some(0),
            response_format: extras.has(Extras::RESPONSE_FORMAT).then(|| json!({"type": "json_object"})),
            max_tokens: extras.has(Extras::MAX_TOKENS).then_some(MOST_TOKENS),
            // The newer name, for models that refuse the one that every server knows.
            max_completion_tokens: (!extras.has(Extras::MAX_TOKENS) && extras.has(Extras::MAX_COMPLETION_TOKENS))
                .then_some(MOST_TOKENS),
        }
    }
}

/// What is asked for beside an answer to the messages. Not every model takes all of it; none is needed, for answers are
/// checked anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extras(u8);

impl Extras {
    const TEMPERATURE: u8 = 1;
    const RESPONSE_FORMAT: u8 = 2;
    const MAX_TOKENS: u8 = 4;
    const MAX_COMPLETION_TOKENS: u8 = 8;
    /// A refusal may name the new name as advice, so the old one is looked for first.
    const NAMES: [(u8, &'static str); 4] = [
        (Self::TEMPERATURE, "temperature"),
        (Self::RESPONSE_FORMAT, "response_format"),
        (Self::MAX_TOKENS, "max_tokens"),
        (Self::MAX_COMPLETION_TOKENS, "max_completion_tokens"),
    ];

    /// All of it.
    pub fn all() -> Self {
        Self(15)
    }

    /// As remembered.
    pub fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// To be remembered.
    pub fn bits(self) -> u8 {
        self.0
    }

    fn has(self, extra: u8) -> bool {
        self.0 & extra != 0
    }

    /// Without the one that a refusal is about, if it is about one that was sent.
    pub fn without(self, words: &Words) -> Option<Self> {
        let named = |name: &str| {
            words.param.as_deref() == Some(name) || (words.param.is_none() && words.message.contains(name))
        };
        let refused = Self::NAMES.iter().find(|(extra, name)| self.has(*extra) && named(name))?;
        Some(Self(self.0 & !refused.0))
    }
}

/// What a model replied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its text; empty where it gave none, such as when it refused in a member of its own.
    pub text: String,
    /// Whether it ended for want of room.
    pub cut_off: bool,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    message: Value,
    #[serde(default)]
    finish_reason: Value,
}

impl Reply {
    /// Reads a body.
    ///
    /// # Errors
    /// In words: it is no chat completion, so the API is to blame and not the model.
    pub fn read(body: &[u8]) -> Result<Self, &'static str> {
        let completion: Completion =
            serde_json::from_slice(body).map_err(|_| "answers with something else than a chat completion")?;
        let choice = completion.choices.first().ok_or("answers with a chat completion without choices")?;
        let text = match &choice.message["content"] {
            Value::String(text) => text.clone(),
            Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
            _ => String::new(),
        };
        Ok(Self { text, cut_off: choice.finish_reason == "length" })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn replies_are_read_in_the_forms_that_servers_give_them() {
        let text = |content: &str| Reply::read(format!(r#"{{"choices":[{{"message":{content},"x":1}}]}}"#).as_bytes());
        assert_eq!(text(r#"{"role":"assistant","content":"hi","refusal":null}"#).unwrap().text, "hi");
        assert_eq!(text(r#"{"content":[{"type":"text","text":"h"},{"type":"x"},{"text":"i"}]}"#).unwrap().text, "hi");
        for none in ["null", "{}", "[]", "7", r#"{"content":null,"refusal":"I will not."}"#, r#"{"content":{}}"#] {
            assert_eq!(text(none).unwrap().text, "", "{none}");
        }
        assert!(Reply::read(br#"{"choices":[{"finish_reason":"length"}]}"#).unwrap().cut_off);
        for body in ["", "<html>", "{}", r#"{"choices":null}"#, r#"{"choices":[]}"#, r#"{"error":{"message":"x"}}"#] {
            assert!(Reply::read(body.as_bytes()).unwrap_err().starts_with("answers with"), "{body}");
        }
    }

    #[test]
    fn what_a_model_does_not_take_is_left_out_one_by_one() {
        let refused = |body: &str| Words::read(body.as_bytes());
        let by_name = refused(
            r#"{"error":{"message":"Unsupported parameter: 'max_tokens' … Use 'max_completion_tokens' instead.","param":"max_tokens"}}"#,
        );
        let fewer = Extras::all().without(&by_name).unwrap();
        let request = serde_json::to_value(Request::new("m", &[], fewer)).unwrap();
        assert_eq!((&request["max_tokens"], &request["max_completion_tokens"]), (&Value::Null, &json!(2000)));
        let in_words = refused(r#"{"error":"response_format is not supported"}"#);
        let request = serde_json::to_value(Request::new("m", &[], fewer.without(&in_words).unwrap())).unwrap();
        assert_eq!(request, json!({"model":"m","messages":[],"temperature":0,"max_completion_tokens":2000}));
        assert_eq!(fewer.without(&by_name), None, "it was not sent");
        assert_eq!(fewer.without(&refused("{}")), None);
    }
}
