//! Publishes enriched links: an Atom feed, a JSON Feed and a small static site in a folder, and a webhook if one is wanted.
//!
//! What is published is a function of the state: a work only says which link to look at. So works may come twice, late and
//! in any order, several at once share one rewriting of the lists, and a folder that was lost is made anew.

mod address;
mod catalogue;
mod clean;
mod day;
mod entry;
mod error;
mod folder;
mod journal;
mod listing;
mod look;
mod page;
mod plan;
mod render;
mod slug;
mod store;
mod sweep;
mod together;
mod webhook;
mod writer;

use std::time::Duration;

use async_trait::async_trait;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::work::Work;
use lifestream_envelope::{groups, ids};
use serde_json::{Value, json};
use uuid::Uuid;

pub use folder::Done;

use error::PublishError;

use crate::runner::{Agent, Context, Fact, Failure, Lane};
use crate::{AgentError, Database};
use page::Page;
use together::Together;
use webhook::Webhook;
use writer::Writer;

/// Publishes enriched links as feeds and a small static site.
pub struct Publisher {
    together: Together,
    webhook: Option<Webhook>,
}

impl Publisher {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that it needs is missing or wrong.
    pub fn new(settings: &Settings) -> Result<Self, AgentError> {
        let agents = &settings.agents;
        let Some(folder) = &agents.feed_dir else {
            return Err(AgentError::Setting(
                "LIFESTREAM_FEED_DIR is not set: the folder that the publisher writes to".to_owned(),
            ));
        };
        let writer = Writer::new(folder, &agents.feed_title, agents.feed_url.as_deref());
        Ok(Self { together: Together::new(writer), webhook: Webhook::new(agents)? })
    }

    /// Brings the whole folder up to date with the state: everything is written where it is new or lost, only what differs
    /// where it is not.
    ///
    /// # Errors
    /// The folder or the database.
    pub async fn refresh(&self, database: &Database) -> Result<Done, AgentError> {
        Ok(self.together.everything(database).await?.done)
    }

    /// How often the folder was brought up to date: works under way at the same time share one.
    pub fn publications(&self) -> usize {
        self.together.publications()
    }

    /// Tells the webhook, if there is one.
    async fn tell(&self, work: &Work, context: &Context<'_>, fact: &Fact) -> Result<(), PublishError> {
        let Some(webhook) = &self.webhook else { return Ok(()) };
        // Another attempt at the same work tells the same news.
        let id = format!("webhook|{}|{}", context.group, work.triggered_by_event_id);
        let id = Uuid::new_v5(&ids::NAMESPACE, id.as_bytes());
        let client = context.database.client().await?;
        let entry = store::links(&client, std::slice::from_ref(&work.subject_id)).await?.remove(&work.subject_id);
        let mut data = json!({"subject_id": work.subject_id, "tenant_id": work.tenant_id, "url": fact.payload["url"]});
        if let Some(entry) = entry.filter(|_| !fact.payload["url"].is_null()) {
            data["title"] = entry.title.into();
            data["external_url"] = entry.href.into();
            data["tags"] = entry.tags.iter().map(|tag| entry::label(tag)).collect();
        }
        webhook.tell(id, fact.event_type, data).await
    }
}

#[async_trait]
impl Agent for Publisher {
    fn name(&self) -> &'static str {
        "publisher"
    }

    fn work_type(&self) -> &'static str {
        "publish_link"
    }

    fn group(&self) -> &'static str {
        groups::PUBLISHER
    }

    /// They wait for the state and for each other more than they work: so many share one rewriting of the lists.
    fn concurrency(&self) -> usize {
        64
    }

    /// The start of a large site is one publication.
    fn deadline(&self) -> Duration {
        Duration::from_secs(600)
    }

    async fn prepare(&self, context: &Context<'_>) -> Result<(), AgentError> {
        let done = self.refresh(context.database).await?;
        tracing::info!(
            "publisher: {} files written, {} as they were, {} taken away",
            done.written,
            done.unchanged,
            done.removed
        );
        Ok(())
    }

    fn lane(&self, _work: &Work) -> Option<Lane> {
        self.webhook.as_ref().map(|webhook| Lane { name: webhook.host(), interval: Duration::ZERO })
    }

    /// Work waits in Kafka while the webhook is away; what is published is brought up to date with each probe.
    fn has_one_lane(&self) -> bool {
        self.webhook.is_some()
    }

    async fn handle(&self, work: &Work, context: &Context<'_>) -> Result<Fact, Failure> {
        store::includes(context.database, work.triggered_by_event_id).await?;
        if self.webhook.as_ref().is_some_and(Webhook::is_failing) {
            // Other links wait for the webhook, elsewhere: removed ones must not stay for so long.
            self.together.everything(context.database).await?;
        }
        let (catalogue, look) = self.together.link(context.database, &work.subject_id).await?;
        let fact = match catalogue.link(&work.subject_id) {
            Some(link) => {
                let url = look.address(&link.tenant, &Page::Link(link.place.id).path());
                Fact { event_type: "publish.completed", payload: json!({ "url": url }) }
            }
            None => Fact { event_type: "publish.retracted", payload: json!({ "url": Value::Null }) },
        };
        self.tell(work, context, &fact).await?;
        Ok(fact)
    }
}
