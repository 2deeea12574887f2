//! Gives a fetched link tags, a summary and a topic: from a language model behind an OpenAI-compatible API, or without
//! a key from the text itself, which the fact then says in `model`.
//!
//! What a page's text can reach is bounded on both ways. It goes out as data that cannot end by itself ([`prompt`]), and
//! of what comes back only three members are read, as plain text of bounded size ([`answer`]), into one fact about the
//! work's own subject, which the runner names and not the answer. A tag that it gives is known to other pages once a
//! second one has it, or a person ([`tags`]).

mod answer;
mod asker;
mod budget;
mod clean;
mod client;
mod local;
mod page;
mod prompt;
mod refusal;
mod tags;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use lifestream_envelope::groups;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::work::Work;
use serde_json::json;

use crate::AgentError;
use crate::catalog::Reader;
use crate::runner::{Agent, Context, Fact, Failure, Lane};
use client::Api;
use page::Page;
use tags::KnownTags;

pub use local::MODEL as LOCAL_MODEL;

/// How long the API may take for one answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Gives a fetched link tags, a summary and a topic.
pub struct Enricher {
    /// None: enrichment is local.
    api: Option<Api>,
    /// Read whole before the first task.
    catalog: RwLock<Option<Arc<Reader>>>,
}

impl Enricher {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that it needs is missing or wrong.
    pub fn new(settings: &Settings) -> Result<Self, AgentError> {
        Self::patient(settings, PATIENCE)
    }

    fn patient(settings: &Settings, patience: Duration) -> Result<Self, AgentError> {
        let settings = &settings.agents;
        let api = match &settings.openai_api_key {
            Some(key) => Some(Api::new(settings, key, patience)?),
            None => None,
        };
        match &api {
            Some(api) => tracing::info!("enriching with {} at {}", api.model(), api.place()),
            None => tracing::info!("no OPENAI_API_KEY: enriching locally, as model {LOCAL_MODEL}"),
        }
        if api.is_none() && settings.openai_base_url.is_some() {
            tracing::warn!("OPENAI_BASE_URL is not used without OPENAI_API_KEY; a server that needs no key takes any");
        }
        Ok(Self { api, catalog: RwLock::new(None) })
    }

    fn known(&self, tenant: &str) -> Option<KnownTags> {
        let reader = self.catalog.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let catalog = reader.catalog();
        Some(KnownTags::new(catalog.of(tenant)))
    }

    async fn enrich(&self, page: Page, known: KnownTags) -> Result<Fact, Failure> {
        let has_words = page.text.chars().any(char::is_alphanumeric);
        let (page, model, answer) = match &self.api {
            // There is nothing to ask about a page without words.
            Some(api) if has_words => {
                let answer = asker::ask(api, &page, &known).await?;
                (page, api.model(), answer)
            }
            _ => {
                let made = tokio::task::spawn_blocking(move || {
                    let answer = local::enrich(&page, &known);
                    (page, answer)
                });
                let (page, answer) = made.await.map_err(|_| Failure::Permanent {
                    error: "the local enrichment panicked on this text: please report it".to_owned(),
                })?;
                (page, LOCAL_MODEL, answer)
            }
        };
        let mut payload = json!({
            "tags": answer.tags,
            "summary": answer.summary,
            "topic": answer.topic,
            "model": model,
            "text_digest": page.digest(),
        });
        if let Some(language) = local::language(&page) {
            payload["language"] = language.into();
        }
        Ok(Fact { event_type: "enrichment.completed", payload })
    }
}

#[async_trait]
impl Agent for Enricher {
    fn name(&self) -> &'static str {
        "enricher"
    }

    fn work_type(&self) -> &'static str {
        "enrich_link"
    }

    fn group(&self) -> &'static str {
        groups::ENRICHER
    }

    /// Three questions, each as long as the API may take, and some of half the length.
    fn deadline(&self) -> Duration {
        5 * PATIENCE
    }

    /// Reads the whole catalog, whichever partitions the group gives this member.
    async fn prepare(&self, context: &Context<'_>) -> Result<(), AgentError> {
        if self.catalog.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let reader = Reader::start(context.kafka, context.group).await?;
        tracing::info!("{} known tags", reader.catalog().len());
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(reader));
        Ok(())
    }

    fn lane(&self, _work: &Work) -> Option<Lane> {
        self.api.as_ref().map(Api::lane)
    }

    /// Work waits in Kafka while the API is away: there is nothing else that it could be overtaken by.
    fn has_one_lane(&self) -> bool {
        self.api.is_some()
    }

    async fn handle(&self, work: &Work, _context: &Context<'_>) -> Result<Fact, Failure> {
        let page = Page::of(work)?;
        let known = self
            .known(&work.tenant_id)
            .ok_or_else(|| refusal::passing("the catalog of tags has not been read yet".to_owned()))?;
        self.enrich(page, known).await
    }
}
