//! Connecting to PostgreSQL.

pub mod dsn;
mod error;
mod tls;

use std::future::poll_fn;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Notification, Socket};

use crate::settings::PostgresSettings;
use dsn::Dsn;
pub use error::PostgresError;

/// Connecting and signing in may take this long.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection; it ends when `client` is dropped, or breaks by itself.
#[derive(Debug)]
pub struct Session {
    /// For statements.
    pub client: Client,
    /// What channels that were LISTENed to say; closes when the connection ends.
    pub notifications: UnboundedReceiver<Notification>,
}

/// Connects as `part`, which `pg_stat_activity` shows as application name `lifestream <part>`.
///
/// # Errors
/// Names `DATABASE_URL` and the server, never the password. See [`PostgresError::is_permanent`].
pub async fn connect(settings: &PostgresSettings, part: &str) -> Result<Session, PostgresError> {
    let url = settings.url.as_ref().ok_or(PostgresError::Missing)?;
    let Dsn { mut config, root_certificate } = dsn::parse(url.expose()).map_err(PostgresError::Dsn)?;
    config
        .application_name(format!("lifestream {part}"))
        // A server that vanished without a word is noticed within a minute.
        .keepalives_idle(Duration::from_secs(20))
        .keepalives_interval(Duration::from_secs(10))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(45));
    let target = dsn::masked(url.expose());
    let attempt = attempt(config, root_certificate.as_deref());
    match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
        Ok(result) => result.map_err(|error| PostgresError::at(target, error)),
        Err(_) => Err(PostgresError::TimedOut { target }),
    }
}

async fn attempt(mut config: Config, root_certificate: Option<&std::path::Path>) -> Result<Session, error::Failure> {
    if config.get_ssl_mode() == SslMode::Disable {
        return Ok(open(&config, NoTls).await?);
    }
    let connector = tls::connector(&config, root_certificate)?;
    match open(&config, connector).await {
        // A stock server on this very machine has a certificate that nobody signed; `prefer` asks for no more than
        // TLS where it can be had, and nobody listens on the loopback interface.
        Err(error)
            if config.get_ssl_mode() == SslMode::Prefer && error::is_tls(&error) && dsn::is_loopback(&config) =>
        {
            config.ssl_mode(SslMode::Disable);
            Ok(open(&config, NoTls).await?)
        }
        other => Ok(other?),
    }
}

async fn open<T>(config: &Config, tls: T) -> Result<Session, tokio_postgres::Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, mut connection) = config.connect(tls).await?;
    let (sender, notifications) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            match poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notification(notification))) => {
                    // Whoever does not listen has dropped his end.
                    let _ = sender.send(notification);
                }
                Some(Ok(AsyncMessage::Notice(notice))) => tracing::debug!("PostgreSQL says: {}", notice.message()),
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    tracing::debug!(%error, "connection to PostgreSQL ended");
                    break;
                }
                None => break,
            }
        }
    });
    Ok(Session { client, notifications })
}
