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

/// Connects as `part`, which `pg_stat_activity` shows as application name `lifestream <part>`. The extension there must not be
/// older than this program, which would look for what it lacks; a newer one has all that older programs know.
///
/// # Errors
/// Names `DATABASE_URL` and the server, never the password. See [`PostgresError::is_permanent`].
pub async fn connect(settings: &PostgresSettings, part: &str) -> Result<Session, PostgresError> {
    let session = sign_in(settings, part).await?;
    let asked =
        session.client.query_opt("SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'pg_lifestream'", &[]);
    // A connection that breaks here breaks for whoever uses it, in their words; so does a database without the extension.
    if let Ok(Ok(Some(row))) = tokio::time::timeout(CONNECT_TIMEOUT, asked).await
        && let Ok(found) = row.try_get::<_, String>(0)
        && is_outdated(&found)
    {
        let target = settings.url.as_ref().map(|url| dsn::masked(url.expose())).unwrap_or_default();
        return Err(PostgresError::OldExtension { target, found });
    }
    Ok(session)
}

/// The version of programs and extension.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Whether an extension of this version is older than this program.
pub fn is_outdated(extension: &str) -> bool {
    is_older(extension, VERSION)
}

fn is_older(found: &str, than: &str) -> bool {
    let numbers = |version: &str| -> Option<Vec<u32>> { version.split('.').map(|part| part.parse().ok()).collect() };
    matches!((numbers(found), numbers(than)), (Some(found), Some(than)) if found < than)
}

/// Connects, whatever is there.
///
/// # Errors
/// As of [`connect`].
pub async fn sign_in(settings: &PostgresSettings, part: &str) -> Result<Session, PostgresError> {
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

#[cfg(test)]
mod tests {
    use super::is_older;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(is_older("0.1.0", "0.2.0") && is_older("0.9.0", "0.10.0") && is_older("1.2", "1.2.1"));
        assert!(!is_older("0.2.0", "0.2.0") && !is_older("0.10.0", "0.9.0") && !is_older("development", "0.2.0"));
    }
}
