//! A few connections to PostgreSQL, opened when needed and kept for the next request.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lifestream_envelope::outage::Outage;
use lifestream_envelope::postgres::{self, PostgresError};
use lifestream_envelope::settings::PostgresSettings;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Client;

use crate::problem::{Kind, Problem};

/// Kept short: whoever waits for us has a person waiting for him.
const SESSION: &str = "SET statement_timeout = '10s'; SET idle_in_transaction_session_timeout = '30s'";

/// Connections.
#[derive(Debug)]
pub struct Pool {
    settings: PostgresSettings,
    slots: Semaphore,
    patience: Duration,
    idle: Mutex<Vec<Client>>,
    outage: Mutex<Outage>,
}

/// A connection on loan. Dropped without [`Lease::give_back`], it is closed, and what it was doing is rolled back.
#[derive(Debug)]
pub struct Lease<'a> {
    /// The connection.
    pub client: Client,
    pool: &'a Pool,
    _slot: SemaphorePermit<'a>,
}

impl Pool {
    /// At most `connections` at once; whoever needs one waits for it, or for the server, no longer than `patience`.
    pub fn new(settings: &PostgresSettings, connections: usize, patience: Duration) -> Self {
        Self {
            settings: settings.clone(),
            slots: Semaphore::new(connections),
            patience,
            idle: Mutex::default(),
            outage: Mutex::new(Outage::new("gateway")),
        }
    }

    /// Connects for the first time.
    ///
    /// # Errors
    /// What trying again cannot help. A server that is away is waited for by whoever asks later.
    pub async fn open(&self) -> Result<(), PostgresError> {
        match self.connect().await {
            Ok(client) => {
                locked(&self.idle).push(client);
                Ok(())
            }
            Err(error) if error.is_permanent() => Err(error),
            Err(_) => Ok(()),
        }
    }

    /// A connection that was sound a moment ago.
    ///
    /// # Errors
    /// None is free, or the server is away: both within the pool's patience.
    pub async fn lease(&self) -> Result<Lease<'_>, Problem> {
        let slot = match tokio::time::timeout(self.patience, self.slots.acquire()).await {
            Ok(Ok(slot)) => slot,
            _ => {
                return Err(Problem::new(Kind::Busy, "every connection to the database is in use").retry_after(1));
            }
        };
        let kept = {
            let mut idle = locked(&self.idle);
            idle.retain(|client| !client.is_closed());
            idle.pop()
        };
        let client = match kept {
            Some(client) => client,
            None => match tokio::time::timeout(self.patience, self.connect()).await {
                Ok(Ok(client)) => client,
                Ok(Err(_)) => return Err(away()),
                Err(_) => {
                    self.down(&"PostgreSQL does not answer");
                    return Err(away());
                }
            },
        };
        Ok(Lease { client, pool: self, _slot: slot })
    }

    /// Closes what is idle: one of them turned out to be broken, and the others likely are.
    pub fn forget_idle(&self) {
        locked(&self.idle).clear();
    }

    /// Notes that the server is away; said once in the log.
    pub fn down(&self, error: &dyn std::fmt::Display) {
        locked(&self.outage).down(error);
    }

    async fn connect(&self) -> Result<Client, PostgresError> {
        let opened = match postgres::connect(&self.settings, "gateway").await {
            Ok(session) => session.client,
            Err(error) => {
                self.down(&error);
                return Err(error);
            }
        };
        // Should that fail, the first statement will say why.
        if let Err(error) = opened.batch_execute(SESSION).await {
            tracing::debug!(%error, "limits of the session could not be set");
        }
        Ok(opened)
    }
}

impl Lease<'_> {
    /// It works: the next request may have it.
    pub fn give_back(self) {
        locked(&self.pool.outage).over();
        if !self.client.is_closed() {
            locked(&self.pool.idle).push(self.client);
        }
    }
}

/// What a caller reads while the server is away.
pub fn away() -> Problem {
    Problem::new(Kind::DatabaseAway, "the database cannot be reached at the moment").hint(AGAIN).retry_after(5)
}

/// What a caller reads whose request was in the database's hands when the connection was lost.
pub fn unknown() -> Problem {
    Problem::new(Kind::DatabaseAway, "the connection to the database was lost: whether this is recorded is not known")
        .hint(AGAIN)
        .retry_after(5)
}

const AGAIN: &str = "Send the request again later, with the same Idempotency-Key so that nothing is recorded twice.";

/// Nobody panics while holding these, and a list or a note would be sound even then.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
