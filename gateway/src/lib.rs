//! The gateway: takes events and links over HTTP, for what cannot speak SQL.

mod admission;
mod app;
mod body;
mod emission;
mod events;
mod health;
mod idempotency;
mod links;
mod openapi;
mod pool;
mod problem;
mod refusal;
mod save;
mod scope;
mod server;
mod shares;
mod token_file;
mod tokens;
mod traceparent;

use std::net::SocketAddr;
use std::sync::Arc;

use lifestream_envelope::postgres::PostgresError;
use lifestream_envelope::settings::Settings;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use app::App;
pub use app::Limits;
use token_file::TokenFile;
pub use token_file::{TokensSeen, look_at_tokens};

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
pub async fn run(settings: &Settings, shutdown: CancellationToken) -> Result<(), GatewayError> {
    Gateway::open(settings, Limits::default()).await?.serve(shutdown).await;
    Ok(())
}

/// A gateway that listens, and does not answer yet.
#[derive(Debug)]
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
    file: TokenFile,
}

impl Gateway {
    /// Reads the tokens, listens, and connects to the database, which may be away for now.
    ///
    /// # Errors
    /// As [`run`].
    pub async fn open(settings: &Settings, limits: Limits) -> Result<Self, GatewayError> {
        let (file, loaded) = TokenFile::open(settings.gateway.tokens_file.as_deref()).await?;
        let app = Arc::new(App::new(settings, limits, loaded));
        let address = settings.gateway.listen;
        let failed = |error| GatewayError::Io { what: format!("LIFESTREAM_GATEWAY_LISTEN={address}"), error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        app.pool.open().await?;
        Ok(Self { listener, address, app, file })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`.
    pub async fn serve(self, shutdown: CancellationToken) {
        let Self { listener, address, app, file } = self;
        let tokens = Arc::clone(&app.loaded.borrow().tokens);
        tracing::info!("gateway: listening on http://{address}, tokens of {}", tokens.names());
        if !address.ip().is_loopback() {
            tracing::warn!(
                "gateway: {address} can be reached from other machines, and tokens travel in clear text: put TLS before it, or a private network such as WireGuard"
            );
        }
        let follow = tokio::spawn(file.follow());
        server::serve(listener, app, shutdown).await;
        follow.abort();
    }
}
