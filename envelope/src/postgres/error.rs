//! Why a connection to PostgreSQL could not be had.

use std::error::Error;

use tokio_postgres::error::SqlState;

/// Every message names `DATABASE_URL` or the server, never the password.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Nobody said where the database is.
    #[error("DATABASE_URL is not set, such as postgres://user@localhost/database")]
    Missing,
    /// The connection string makes no sense.
    #[error("DATABASE_URL: {0}")]
    Dsn(String),
    /// The server turns us away: password, user, database, or its pg_hba.conf.
    #[error("PostgreSQL at {target} refuses to let us in: {reason} (check DATABASE_URL)")]
    Refused {
        /// The connection string without its password.
        target: String,
        /// The server's words.
        reason: String,
    },
    /// No TLS where it is asked for, or a certificate that is not to be trusted.
    #[error("PostgreSQL at {target}: TLS: {reason} (sslmode and sslrootcert in DATABASE_URL)")]
    Tls {
        /// The connection string without its password.
        target: String,
        /// What is wrong.
        reason: String,
    },
    /// Nobody answers there, or not now.
    #[error("PostgreSQL at {target} cannot be reached: {reason} (DATABASE_URL)")]
    Unreachable {
        /// The connection string without its password.
        target: String,
        /// Why.
        reason: String,
    },
    /// The extension is older than this program.
    #[error(
        "pg_lifestream in {target} is {found}, this program is {version}: run ALTER EXTENSION pg_lifestream UPDATE there first",
        version = super::VERSION
    )]
    OldExtension {
        /// The connection string without its password.
        target: String,
        /// The extension's version.
        found: String,
    },
    /// It took too long.
    #[error("PostgreSQL at {target} did not answer within 10 s (DATABASE_URL)")]
    TimedOut {
        /// The connection string without its password.
        target: String,
    },
}

impl PostgresError {
    /// Whether trying again cannot help.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Missing | Self::Dsn(_) | Self::Refused { .. } | Self::Tls { .. } | Self::OldExtension { .. } => true,
            Self::Unreachable { .. } | Self::TimedOut { .. } => false,
        }
    }

    /// Whether somebody has to change a setting.
    pub fn is_setting(&self) -> bool {
        self.is_permanent() && !matches!(self, Self::OldExtension { .. })
    }

    pub(super) fn at(target: String, failure: Failure) -> Self {
        let error = match failure {
            Failure::RootCertificate(reason) => return Self::Tls { target, reason },
            Failure::Connect(error) => error,
        };
        let reason = reason(&error);
        if let Some(state) = error.code() {
            return if passes(state) { Self::Unreachable { target, reason } } else { Self::Refused { target, reason } };
        }
        if is_tls(&error) {
            return Self::Tls { target, reason };
        }
        if is_io(&error) || error.is_closed() {
            Self::Unreachable { target, reason }
        } else {
            Self::Refused { target, reason }
        }
    }
}

/// What [`super::connect`] meets.
#[derive(Debug)]
pub(super) enum Failure {
    Connect(tokio_postgres::Error),
    RootCertificate(String),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Connect(error)
    }
}

/// A server that starts, stops, or is full; and what poolers say when theirs is away (class 08).
fn passes(state: &SqlState) -> bool {
    ["08", "53", "57", "58", "XX"].contains(&&state.code()[..2])
}

/// Whether TLS could not be had, the server's answer to our wish for it included.
pub(super) fn is_tls(error: &tokio_postgres::Error) -> bool {
    error.to_string().contains("TLS")
        || causes(error).any(|cause| {
            let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            cause.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>())
        })
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    causes(error).any(|cause| cause.is::<std::io::Error>())
}

fn causes(error: &tokio_postgres::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause: &&(dyn Error + 'static)| (*cause).source())
}

/// tokio-postgres says little itself: the words of the server or the system are in what it wraps.
fn reason(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(answer) => answer.message().to_owned(),
        None => causes(error).last().map_or_else(|| error.to_string(), ToString::to_string),
    }
}
