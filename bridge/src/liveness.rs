//! Finds out that a connection is dead while nothing says so: something between here and PostgreSQL has forgotten it.
//!
//! TCP notices a server that has vanished within a minute. Not so where a relay still holds its end, and a minute is long for
//! events that wait. A statement may take its time, so silence alone proves nothing: the server is asked, by another
//! connection, whether it is at work for this one.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use crate::error::BridgeError;
use crate::lease::RENEWAL;

/// Silence for so long is worth a question.
const SILENCE: Duration = Duration::from_secs(5);

/// Whether the server is at work for that connection. What it sends and nobody takes is no work.
const AT_WORK: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity \
     WHERE pid = $1 AND state = 'active' AND wait_event IS DISTINCT FROM 'ClientWrite')";

/// Ends when the connection of `client`, whose server process is `backend`, is dead, or the `other` one fails.
pub async fn lost(client: &Client, backend: i32, other: &Client) -> BridgeError {
    loop {
        sleep(RENEWAL).await;
        // It waits in line behind whatever the connection is busy with.
        match timeout(SILENCE, client.batch_execute("")).await {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => return error.into(),
            Err(_) => {}
        }
        let asked = async { other.query_one(AT_WORK, &[&backend]).await?.try_get(0) };
        match timeout(SILENCE, asked).await {
            Ok(Ok(false)) => return BridgeError::Silent,
            Ok(Err(error)) => return error.into(),
            // Nobody says. (Should the other one be dead as well, its own time limit tells.)
            Ok(Ok(true)) | Err(_) => {}
        }
    }
}
