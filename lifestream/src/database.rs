//! PostgreSQL for chores: connecting with patience, and the server's errors in full.

use std::fmt::Display;

use lifestream_envelope::backoff;
use lifestream_envelope::kafka::{Kafka, KafkaError};
use lifestream_envelope::postgres::{self, PostgresError, Session};
use lifestream_envelope::settings::Settings;

/// Connects; what may pass is tried 8 times.
///
/// # Errors
/// At once what trying again cannot help, else the last failure.
pub async fn connect(settings: &Settings, chore: &str) -> Result<Session, PostgresError> {
    patiently(async || postgres::connect(&settings.postgres, chore).await, PostgresError::is_permanent).await
}

/// Connects to Kafka; what may pass is tried 8 times.
///
/// # Errors
/// At once what trying again cannot help, else the last failure.
pub async fn kafka(settings: &Settings) -> Result<Kafka, KafkaError> {
    let kafka = Kafka::new(&settings.kafka)?;
    patiently(async || kafka.ping().await, KafkaError::is_permanent).await?;
    Ok(kafka)
}

async fn patiently<T, E: Display>(
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
    is_permanent: fn(&E) -> bool,
) -> Result<T, E> {
    let mut told = false;
    let mut waits = backoff::one_shot();
    loop {
        match (attempt().await, waits.next()) {
            (Err(error), Some(wait)) if !is_permanent(&error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!("{error}; trying 7 times more");
                }
                tokio::time::sleep(wait).await;
            }
            (result, _) => return result,
        }
    }
}

/// What the server said: message, detail, hint and SQLSTATE. tokio-postgres itself says only "db error".
pub fn describe(error: &tokio_postgres::Error) -> String {
    let Some(answer) = error.as_db_error() else {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
        return format!("PostgreSQL: {error}{}", cause.unwrap_or_default());
    };
    let mut text = format!("{} (SQLSTATE {})", answer.message(), answer.code().code());
    for (name, words) in [("detail", answer.detail()), ("hint", answer.hint())] {
        if let Some(words) = words {
            text.push_str(&format!("\n  {name}: {words}"));
        }
    }
    text
}
