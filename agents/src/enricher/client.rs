//! Asks an OpenAI-compatible API for chat completions.
//!
//! The key goes to the configured host and nowhere else: no redirect is followed and no proxy is asked. Errors quote
//! nothing that the API said but short codes, for its words may hold the key or the page.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use lifestream_envelope::settings::{AgentSettings, Secret};
use lifestream_envelope::tls;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Client, Response, Url, redirect};

use super::prompt::Message;
use super::refusal;
use super::wire::{Extras, Reply, Request};
use crate::runner::{Failure, Lane};
use crate::{AgentError, retry_after};

const BASE_URL: &str = "https://api.openai.com/v1";
const MODEL: &str = "gpt-4o-mini";
const CONNECT: Duration = Duration::from_secs(10);
/// An answer of 2,000 tokens is a few kilobytes.
const LARGEST: usize = 1024 * 1024;

/// The API that the settings name.
#[derive(Debug)]
pub struct Api {
    http: Client,
    url: Url,
    key: Secret,
    authorization: HeaderValue,
    model: String,
    /// `host:port`.
    place: String,
    /// What this API's model takes beside model and messages, as far as is known.
    extras: AtomicU8,
}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The question is longer than what the model takes in.
    TooLong,
    /// The task fails.
    Fails(Failure),
}

impl Api {
    /// The API for this key; an answer must be whole within `patience`.
    ///
    /// # Errors
    /// A setting that cannot be worked with, by name and without its secrets.
    pub fn new(settings: &AgentSettings, key: &Secret, patience: Duration) -> Result<Self, AgentError> {
        let wrong = |text: String| AgentError::Setting(text);
        let base = settings.openai_base_url.as_deref().unwrap_or(BASE_URL);
        // The value may hold a password, so it is not shown before that is ruled out.
        let mut url = Url::parse(base).map_err(|error| wrong(format!("OPENAI_BASE_URL is not a URL: {error}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "OPENAI_BASE_URL has a user name or password in it: give the key as OPENAI_API_KEY".to_owned(),
            ));
        }
        let (Some(host), Some(port), "http" | "https") = (url.host(), url.port_or_known_default(), url.scheme()) else {
            return Err(wrong(format!("OPENAI_BASE_URL={base} is not an http:// or https:// URL with a host")));
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong(format!(
                "OPENAI_BASE_URL={base} has a query or fragment: end it with the path, such as /v1"
            )));
        }
        let place = format!("{host}:{port}");
        let local = match &host {
            url::Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
            url::Host::Ipv4(address) => address.is_loopback(),
            url::Host::Ipv6(address) => address.is_loopback(),
        };
        if url.scheme() == "http" && !local {
            tracing::warn!(
                "OPENAI_BASE_URL is http://: OPENAI_API_KEY and the texts of pages go to {place} in the clear"
            );
        }
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["chat", "completions"]);
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_| {
            wrong("OPENAI_API_KEY holds a character that no HTTP header can carry, such as a line break".to_owned())
        })?;
        authorization.set_sensitive(true);
        let tls = tls::client_config().map_err(|error| wrong(format!("TLS: {error}")))?;
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(patience)
            .user_agent(concat!("pg_lifestream/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| wrong(format!("HTTP client: {error}")))?;
        let model = settings.openai_model.clone().unwrap_or_else(|| MODEL.to_owned());
        let (key, extras) = (key.clone(), AtomicU8::new(Extras::all().bits()));
        Ok(Self { http, url, key, authorization, model, place, extras })
    }

    /// The model that is asked.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// `host:port`, for people.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// All tasks need this one API.
    pub fn lane(&self) -> Lane {
        Lane { name: self.place.clone(), interval: Duration::ZERO }
    }

    /// Whether a text gives the key away.
    pub fn is_revealed_by(&self, text: &str) -> bool {
        let key = self.key.expose().trim();
        key.len() >= 8 && text.contains(key)
    }

    /// Asks. What the model does not take beside the messages is left out, now and from then on.
    pub async fn complete(&self, messages: &[Message]) -> Result<Reply, Trouble> {
        let mut extras = Extras::from_bits(self.extras.load(Ordering::Relaxed));
        loop {
            let response = self.send(&Request::new(&self.model, messages, extras)).await?;
            let status = response.status();
            if status.is_success() {
                let reply = self.body(response).await.and_then(|body| {
                    Reply::read(&body).map_err(|what| refusal::passing(format!("{} {what}", self.place)))
                });
                // Remembered only now: without it, the API does answer.
                self.extras.store(extras.bits(), Ordering::Relaxed);
                return reply.map_err(Trouble::Fails);
            }
            let not_before = retry_after::of(response.headers(), Timestamp::now());
            let body = self.body(response).await.unwrap_or_default();
            let words = refusal::Words::read(&body);
            match refusal::judge(&self.place, status, &words, not_before) {
                refusal::Judgement::Wrong(failure) => match extras.without(&words) {
                    Some(fewer) => extras = fewer,
                    None => return Err(Trouble::Fails(failure)),
                },
                refusal::Judgement::TooLong => return Err(Trouble::TooLong),
                refusal::Judgement::Fails(failure) => return Err(Trouble::Fails(failure)),
            }
        }
    }

    async fn send(&self, request: &Request<'_>) -> Result<Response, Trouble> {
        self.http
            .post(self.url.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, "application/json")
            .json(request)
            .send()
            .await
            .map_err(|error| Trouble::Fails(self.unreachable(error)))
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len() + chunk.len() > LARGEST {
                return Err(refusal::passing(format!("{} answers with more than {LARGEST} bytes", self.place)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        let error = error.without_url();
        if error.is_timeout() {
            return refusal::passing(format!("{} gave no answer in time", self.place));
        }
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        refusal::passing(format!("{} cannot be reached: {cause} (OPENAI_BASE_URL)", self.place))
    }
}
