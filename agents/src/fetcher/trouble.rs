//! Why a fetch gave no text.

use std::time::Duration;

use jiff::Timestamp;

use super::target::Target;

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
        /// Whose doing it may be (`host:port`): of a page behind redirects not the host that the link names.
        host: Option<String>,
    },
    /// Nothing was asked: a host's turn has not come, or it is left alone for a while.
    NotYet {
        /// Whose, and why.
        reason: String,
        /// How long.
        wait: Duration,
    },
}

impl Trouble {
    /// The answer for good.
    pub fn last(error: impl Into<String>) -> Self {
        Self::Final(error.into())
    }

    /// It may work later.
    pub fn passing(error: impl Into<String>) -> Self {
        Self::Passing { error: error.into(), not_before: None, host: None }
    }

    /// The same, as the doing of the host that was asked; one that is named already stays.
    #[must_use]
    pub fn at(self, target: &Target) -> Self {
        match self {
            Self::Passing { error, not_before, host } => {
                Self::Passing { error, not_before, host: host.or_else(|| Some(target.name())) }
            }
            last => last,
        }
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
