//! Fetches a link's page and finds the article in it.
//!
//! The way of a link: `target` (is this URL one to ask?) → `request` (redirects; each hop: `robots`, then `web`, which
//! connects only to addresses that `resolver` has checked) → `content_type` → `reading`, on a thread of its own
//! (`charset` → `markup` → `article` → `text`) → `content.fetched`.

mod address;
mod article;
mod characters;
mod charset;
mod content_type;
mod json_ld;
mod language;
mod limits;
mod markup;
mod metadata;
mod pace;
mod reading;
mod request;
mod resolver;
mod robots;
mod stored;
mod target;
mod text;
mod trouble;
mod web;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::work::Work;
use lifestream_envelope::{groups, tls};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, LAST_MODIFIED};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::AgentError;
use crate::runner::{Agent, Context, Fact, Failure, Lane, Others};
use limits::Limits;
use metadata::Metadata;
use pace::Pace;
use reading::{AT_A_TIME, Body};
use request::{Answer, Earlier, Guides, follow, header, judge};
use resolver::{Lookup, System};
use robots::Robots;
use stored::Stored;
use target::{AllowList, Target};
use trouble::Trouble;
use web::Web;

/// Longest `ETag` and `Last-Modified` that are kept.
const VALIDATOR: usize = 512;

/// Fetches a link's page and finds the article in it.
pub struct Fetcher {
    web: Web,
    robots: Robots,
    gate: Arc<Semaphore>,
}

/// What the work asks for.
#[derive(Deserialize)]
struct Request {
    url: String,
}

impl Fetcher {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that it needs is missing or wrong.
    pub fn new(settings: &Settings) -> Result<Self, AgentError> {
        let allow = AllowList::parse(&settings.agents.fetch_allow).map_err(AgentError::Setting)?;
        Self::with(allow, settings.agents.fetch_interval, Limits::default(), Box::new(System))
    }

    fn with(allow: AllowList, interval: Duration, limits: Limits, lookup: Box<dyn Lookup>) -> Result<Self, AgentError> {
        let tls = tls::client_config().map_err(|error| AgentError::Setting(format!("TLS: {error}")))?;
        let web = Web { allow, lookup, limits, pace: Pace::default(), interval, tls };
        Ok(Self { web, robots: Robots::default(), gate: Arc::new(Semaphore::new(AT_A_TIME)) })
    }

    /// Fetches a URL: the payload of `content.fetched`, also where the answer for good is that there is no text.
    async fn fetch(&self, url: &str, earlier: Option<&Stored>, others: &Others) -> Result<Value, Failure> {
        let mut metadata = Metadata { url: url.to_owned(), ..Metadata::default() };
        let whole = self.web.limits.whole;
        match tokio::time::timeout(whole, self.page(&mut metadata, earlier, others)).await {
            Ok(Ok(payload)) => Ok(payload),
            Ok(Err(Trouble::Final(error))) => Ok(json!({
                "text_content": null,
                "fetch_error": characters::line(&error, 1000),
                "metadata": metadata,
            })),
            Ok(Err(Trouble::Passing { error, not_before, host })) => {
                Err(Failure::Passing { error, not_before, lane: host })
            }
            Ok(Err(Trouble::NotYet { reason, wait })) => Err(Failure::NotYet { reason, wait: Some(wait) }),
            Err(_) => Err(Failure::passing(format!("not fetched within {whole:?}"))),
        }
    }

    async fn page(&self, metadata: &mut Metadata, earlier: Option<&Stored>, others: &Others) -> Result<Value, Trouble> {
        let web = &self.web;
        let start = Target::parse(&metadata.url, &web.allow).map_err(Trouble::Final)?;
        let validators = earlier.map(|e| Earlier { final_url: &e.final_url, validators: &e.validators });
        let answer =
            follow(web, start, Some(Guides { robots: &self.robots, others }), validators, web.limits.redirects).await?;
        let Answer { target, response } = answer;
        if judge(&response, &target, Timestamp::now()).is_ok() || response.status().as_u16() == 304 {
            others.served(&target.name());
        }
        metadata.final_url = Some(target.url().to_string());
        metadata.etag = header(response.headers(), &ETAG).filter(|text| text.len() <= VALIDATOR);
        metadata.last_modified = header(response.headers(), &LAST_MODIFIED).filter(|text| text.len() <= VALIDATOR);
        // Only where it was asked: then the URL is that of the stored text.
        if let (304, Some(earlier)) = (response.status().as_u16(), earlier)
            && earlier.final_url == target.url().as_str()
        {
            return Ok(unchanged(earlier, metadata));
        }
        judge(&response, &target, Timestamp::now())?;
        let limit = web.limits.body;
        let too_large = || Trouble::Final(format!("larger than {limit} bytes"));
        let length = header(response.headers(), &CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
        if length.is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let type_header = header(response.headers(), &CONTENT_TYPE);
        // Before a film is read to its end only to be refused; what has no type is looked at.
        if let Some(given) = &type_header {
            content_type::read(Some(given), b"").map_err(Trouble::Final)?;
        }
        let body = web.body(&target, response, limit).await;
        let (bytes, more) = body.map_err(|trouble| trouble.at(&target))?;
        if more {
            return Err(too_large());
        }
        let content_type = content_type::read(type_header.as_deref(), &bytes).map_err(Trouble::Final)?;
        (metadata.bytes, metadata.content_type) = (Some(bytes.len()), Some(content_type.essence.clone()));
        let body = Body { bytes, content_type, url: target.url().clone() };
        let reading = reading::read(&self.gate, body, web.limits.text, web.limits.parse).await?;
        let metadata = Metadata {
            url: metadata.url.clone(),
            final_url: metadata.final_url.clone(),
            content_type: metadata.content_type.clone(),
            etag: metadata.etag.clone(),
            last_modified: metadata.last_modified.clone(),
            bytes: metadata.bytes,
            ..reading.metadata
        };
        Ok(json!({ "text_content": reading.text, "fetch_error": null, "metadata": metadata }))
    }
}

/// The stored text once more, with what the server now says of it.
fn unchanged(earlier: &Stored, metadata: &Metadata) -> Value {
    let mut kept = earlier.metadata.clone();
    if let Some(kept) = kept.as_object_mut() {
        for (name, value) in [("etag", &metadata.etag), ("last_modified", &metadata.last_modified)] {
            if let Some(value) = value {
                kept.insert(name.to_owned(), Value::from(value.clone()));
            }
        }
        kept.insert("url".to_owned(), Value::from(metadata.url.clone()));
    }
    json!({ "text_content": earlier.text, "fetch_error": null, "metadata": kept })
}

fn requested(work: &Work) -> Result<String, Failure> {
    let request: Request = serde_json::from_str(work.payload.get())
        .map_err(|error| Failure::Permanent { error: format!("the payload has no \"url\" to fetch: {error}") })?;
    Ok(request.url)
}

#[async_trait]
impl Agent for Fetcher {
    fn name(&self) -> &'static str {
        "fetcher"
    }

    fn work_type(&self) -> &'static str {
        "fetch_link"
    }

    fn group(&self) -> &'static str {
        groups::FETCHER
    }

    fn lane(&self, work: &Work) -> Option<Lane> {
        let target = Target::parse(&requested(work).ok()?, &self.web.allow).ok()?;
        let interval = self.robots.delay(&target).map_or(self.web.interval, |delay| delay.max(self.web.interval));
        Some(Lane { name: target.name(), interval })
    }

    async fn handle(&self, work: &Work, context: &Context<'_>) -> Result<Fact, Failure> {
        let url = requested(work)?;
        let earlier = match Stored::find(context.database, &work.subject_id).await {
            Ok(earlier) => earlier,
            Err(Trouble::Final(error) | Trouble::Passing { error, .. } | Trouble::NotYet { reason: error, .. }) => {
                return Err(Failure::NotYet { reason: error, wait: None });
            }
        };
        let payload = self.fetch(&url, earlier.as_ref(), context.others).await?;
        Ok(Fact { event_type: "content.fetched", payload })
    }
}
