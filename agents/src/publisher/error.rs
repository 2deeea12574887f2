//! Why something could not be published.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lifestream_envelope::postgres::PostgresError;

use crate::AgentError;
use crate::materializer::describe;
use crate::runner::Failure;

/// Why something could not be published. All of it may pass, but for a folder that is somebody else's.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A file or folder.
    #[error("LIFESTREAM_FEED_DIR: {path}: {error}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: String,
    },
    /// The folder has files of somebody else where ours would go.
    #[error(
        "LIFESTREAM_FEED_DIR={folder} holds {name}, which the publisher did not write: name a folder of its own, or move that away"
    )]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// What is in the way.
        name: &'static str,
    },
    /// Another publisher writes to the folder.
    #[error("another publisher is writing to {0}")]
    Busy(PathBuf),
    /// The database cannot be reached.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The database answered with an error, or the connection broke.
    #[error("PostgreSQL: {}", describe(.0))]
    Statement(#[from] tokio_postgres::Error),
    /// The triggering event has not arrived in the state.
    #[error("the state does not include what is to be published: does the materializer run? (lifestream status)")]
    NotMaterialized,
    /// A page or feed could not be made.
    #[error("{0}")]
    Rendering(String),
    /// The webhook's receiver did not take it.
    #[error("{error}")]
    Webhook {
        /// For people.
        error: String,
        /// Not earlier than this, if it said so.
        not_before: Option<Timestamp>,
    },
}

impl PublishError {
    /// About a file or folder.
    pub fn folder(path: &Path, error: &io::Error) -> Self {
        Self::Folder { path: path.to_owned(), error: error.to_string() }
    }

    /// About what the publisher has to remember.
    pub fn journal(error: io::Error) -> Self {
        Self::folder(Path::new(".lifestream/journal"), &error)
    }

    /// About a page.
    pub fn rendering(error: impl Display) -> Self {
        Self::Rendering(error.to_string())
    }

    /// Whether a setting is to blame.
    pub fn is_setting(&self) -> bool {
        matches!(self, Self::Foreign { .. })
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Webhook { error, not_before } => Self::Passing { error, not_before, lane: None },
            PublishError::Foreign { .. } => Self::Permanent { error: error.to_string() },
            PublishError::NotMaterialized => Self::NotYet { reason: error.to_string(), wait: None },
            _ => Self::passing(error.to_string()),
        }
    }
}

impl From<PublishError> for AgentError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Postgres(error) => Self::Postgres(error),
            PublishError::Statement(error) => Self::Statement(error),
            PublishError::Foreign { .. } => Self::Setting(error.to_string()),
            _ => Self::Folder(error.to_string()),
        }
    }
}
