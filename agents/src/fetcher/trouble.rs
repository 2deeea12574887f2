//! Why a fetch gave no text.

use jiff::Timestamp;

/// Why a fetch gave no text. The texts are for people and say what was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The answer for good: a fact, `content.fetched` with `fetch_error`.
    Final(String),
    /// It may work later: `work.failed`.
    Passing {
        /// What happened.
        error: String,
        /// Not earlier than this, where the site said so.
        not_before: Option<Timestamp>,
    },
}

impl Trouble {
    /// The answer for good.
    pub fn last(error: impl Into<String>) -> Self {
        Self::Final(error.into())
    }

    /// It may work later.
    pub fn passing(error: impl Into<String>) -> Self {
        Self::Passing { error: error.into(), not_before: None }
    }
}

/// An error with what caused it, without what a cause only repeats.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
