//! What can be wrong with settings. Every message names the setting.

use std::path::PathBuf;

/// Settings that cannot be worked with. Nothing but a person can put them right.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A name that starts like ours, or stands in our file, and means nothing.
    #[error("{origin}: unknown setting {name}{}", suggestion.as_ref().map(|s| format!(" (did you mean {s}?)")).unwrap_or_default())]
    Unknown {
        /// As it was written.
        name: String,
        /// Where it was found.
        origin: String,
        /// A name that looks alike.
        suggestion: Option<String>,
    },
    /// A value that its setting does not take.
    #[error("{name} ({origin}): {reason}")]
    Invalid {
        /// The setting.
        name: String,
        /// Where the value was found.
        origin: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// Settings that do not go together, or one that lacks another.
    #[error("{0}")]
    Contradiction(String),
    /// A librdkafka property that may not be passed through.
    #[error("{name} is refused: {reason}")]
    Refused {
        /// As it was written.
        name: String,
        /// What it would undo, or which setting to use.
        reason: String,
    },
    /// A file of settings, or one that holds a secret, cannot be read.
    #[error("{name}: {}: {reason}", path.display())]
    File {
        /// The setting that names the file.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}
