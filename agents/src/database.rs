//! One connection to PostgreSQL that many tasks share; made anew when it has broken.

use std::sync::Arc;

use lifestream_envelope::postgres::{self, PostgresError};
use lifestream_envelope::settings::PostgresSettings;
use tokio::sync::Mutex;
use tokio_postgres::Client;

use crate::{AgentError, claim};

/// For single statements: tasks pipeline them over one connection, so none may open a transaction of its own.
#[derive(Debug)]
pub struct Database {
    settings: PostgresSettings,
    part: String,
    client: Mutex<Option<Arc<Client>>>,
}

impl Database {
    /// Connects when first asked, as `part` (shown as application name `lifestream <part>`).
    pub fn new(settings: &PostgresSettings, part: &str) -> Self {
        Self { settings: settings.clone(), part: part.to_owned(), client: Mutex::new(None) }
    }

    /// Sees that something may be consumed for this database.
    ///
    /// # Errors
    /// It may not ([`AgentError::HeldBack`]), or the database does not answer.
    pub async fn claim(&self) -> Result<(), AgentError> {
        match claim::held_back(&*self.client().await?).await? {
            Some(reason) => Err(AgentError::HeldBack(reason)),
            None => Ok(()),
        }
    }

    /// The connection. Errors of its statements are the caller's to judge; asked again, it is a new one if it had broken.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn client(&self) -> Result<Arc<Client>, PostgresError> {
        let mut client = self.client.lock().await;
        if let Some(client) = client.as_ref().filter(|client| !client.is_closed()) {
            return Ok(Arc::clone(client));
        }
        let connected = Arc::new(postgres::connect(&self.settings, &self.part).await?.client);
        *client = Some(Arc::clone(&connected));
        Ok(connected)
    }
}
