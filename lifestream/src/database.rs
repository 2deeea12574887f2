//! PostgreSQL for chores: connecting with patience, and the server's errors in full.

use lifestream_envelope::backoff;
use lifestream_envelope::kafka::{Kafka, KafkaError};
use lifestream_envelope::postgres::{self, PostgresError, Session};
use lifestream_envelope::settings::Settings;

/// Connects; what may pass is tried 8 times.
///
/// # Errors
/// At once what trying again cannot help, else the last failure.
pub async fn connect(settings: &Settings, chore: &str) -> Result<Session, PostgresError> {
    let mut waits = backoff::one_shot();
    loop {
        match (postgres::connect(&settings.postgres, chore).await, waits.next()) {
            (Err(error), Some(wait)) if !error.is_permanent() => {
                tracing::warn!("{error}; trying again in {wait:.1?}");
                tokio::time::sleep(wait).await;
            }
            (result, _) => return result,
        }
    }
}

/// Connects to Kafka; what may pass is tried 8 times.
///
/// # Errors
/// At once what trying again cannot help, else the last failure.
pub async fn kafka(settings: &Settings) -> Result<Kafka, KafkaError> {
    let kafka = Kafka::new(&settings.kafka)?;
    let mut waits = backoff::one_shot();
    loop {
        match (kafka.ping().await, waits.next()) {
            (Ok(()), _) => return Ok(kafka),
            (Err(error), Some(wait)) if !error.is_permanent() => {
                tracing::warn!("{error}; trying again in {wait:.1?}");
                tokio::time::sleep(wait).await;
            }
            (Err(error), _) => return Err(error),
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
