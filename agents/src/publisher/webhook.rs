//! Tells another program of each publication: a POST that is signed as the Standard Webhooks specification says.

mod signature;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use lifestream_envelope::settings::{AgentSettings, Secret};
use lifestream_envelope::tls;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, redirect};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::error::PublishError;
use crate::{AgentError, retry_after};
use signature::Key;

/// The specification asks for a time-out between 15 and 30 s.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The receiver took them.
    Delivered,
    /// It wants to hear no more (410), and is not told again until the publisher is started anew.
    Gone,
}

/// A receiver of news.
pub struct Webhook {
    url: Url,
    key: Key,
    client: Client,
    /// It said 410: it wants no more.
    gone: AtomicBool,
}

impl Webhook {
    /// As the settings say; none if they name no URL.
    ///
    /// # Errors
    /// A setting is missing or wrong.
    pub fn new(settings: &AgentSettings) -> Result<Option<Self>, AgentError> {
        let (url, secret) = match (&settings.webhook_url, &settings.webhook_secret) {
            (None, None) => return Ok(None),
            (Some(url), Some(secret)) => (url, secret),
            (Some(_), None) => return Err(needed("LIFESTREAM_WEBHOOK_SECRET", "LIFESTREAM_WEBHOOK_URL")),
            (None, Some(_)) => return Err(needed("LIFESTREAM_WEBHOOK_URL", "LIFESTREAM_WEBHOOK_SECRET")),
        };
        let wrong = |error: String| AgentError::Setting(error);
        // The URL may hold a secret: it is not repeated.
        let url = Url::parse(url).map_err(|error| wrong(format!("LIFESTREAM_WEBHOOK_URL is no address: {error}")))?;
        let key = key(secret)?;
        let tls = tls::client_config().map_err(|error| wrong(format!("TLS: {error}")))?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("pg_lifestream/", env!("CARGO_PKG_VERSION")))
            // The specification counts a redirect as a failure: what is signed goes where it was meant to.
            .redirect(redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .map_err(|error| wrong(format!("HTTP client: {error}")))?;
        Ok(Some(Self { url, key, client, gone: AtomicBool::new(false) }))
    }

    /// Its host and port.
    pub fn host(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }

    /// Tells it. `id` is the same for the same news, however often they are told.
    ///
    /// # Errors
    /// It answered neither 2xx nor 410.
    pub async fn tell(&self, id: Uuid, kind: &str, data: Value) -> Result<Told, PublishError> {
        if self.gone.load(Ordering::Relaxed) {
            return Ok(Told::Gone);
        }
        let now = Timestamp::now();
        let body = json!({"type": kind, "timestamp": now.to_string(), "data": data}).to_string();
        let id = id.to_string();
        let seconds = now.as_second().to_string();
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-signature", self.key.sign(&id, &seconds, &body))
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .body(body);
        let failed = |why: String, not_before| PublishError::Webhook {
            error: format!("webhook {}: {why}", self.host()),
            not_before,
        };
        let response = request.send().await.map_err(|error| failed(chain(&error.without_url()), None))?;
        match response.status() {
            status if status.is_success() => Ok(Told::Delivered),
            StatusCode::GONE => {
                self.gone.store(true, Ordering::Relaxed);
                tracing::warn!(
                    "webhook {} answered 410: it is told nothing more until the publisher is started anew",
                    self.host()
                );
                Ok(Told::Gone)
            }
            status => Err(failed(format!("answered {status}"), retry_after::of(response.headers(), now))),
        }
    }
}

fn needed(missing: &str, because: &str) -> AgentError {
    AgentError::Setting(format!("{missing} is needed where {because} is set"))
}

fn key(secret: &Secret) -> Result<Key, AgentError> {
    Key::parse(secret.expose()).ok_or_else(|| {
        let expected = "`whsec_` and the base64 of 24 to 64 random bytes, as `openssl rand -base64 32` prints them";
        AgentError::Setting(format!("LIFESTREAM_WEBHOOK_SECRET is no key: {expected}"))
    })
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
