//! Publishes enriched links: an Atom feed, a JSON Feed and a small static site in a folder, and a webhook if one is wanted.
//!
//! What is published is a function of the state: a work only says which link to look at. So works may come twice, late and
//! in any order, several at once share one rewriting of the lists, and a folder that was lost is made anew.
//! Telling the webhook is a work of its own, which the fact of a publication asks for ([`asked`]): a receiver that is down
//! holds nothing up.

mod address;
mod asked;
mod clean;
mod day;
mod entry;
mod error;
mod folder;
mod index;
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
use lifestream_envelope::groups;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::work::Work;
use serde_json::{Value, json};

pub use folder::Done;

use asked::Asked;
use error::PublishError;

use crate::runner::{Agent, Context, Fact, Failure, Lane};
use crate::{AgentError, Database};
use page::Page;
use together::Together;
use webhook::{Told, Webhook};
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

    /// Brings a link's pages up to date.
    async fn publish(&self, work: &Work, context: &Context<'_>) -> Result<Fact, Failure> {
        let (index, look) = self.together.link(context.database, &work.subject_id).await?;
        let (event_type, url) = match index.link(&work.subject_id) {
            Some(link) => ("publish.completed", Some(look.address(&link.tenant, &Page::Link(link.place.id).path()))),
            None => ("publish.retracted", None),
        };
        let mut payload = json!({ "url": url });
        if self.webhook.is_some() {
            payload["webhook"] = news(work, url, context.database).await?;
        }
        Ok(Fact { event_type, payload })
    }

    async fn tell(&self, work: &Work, kind: &str, data: Value) -> Result<Fact, Failure> {
        let Some(webhook) = &self.webhook else {
            let error = "LIFESTREAM_WEBHOOK_URL is not set: start the publisher with it and retry this, or discard it";
            return Err(Failure::Permanent { error: error.to_owned() });
        };
        // The same fact is the same news, however often it is told.
        let event_type = match webhook.tell(work.triggered_by_event_id, kind, data).await? {
            Told::Delivered => "webhook.delivered",
            Told::Gone => "webhook.gone",
        };
        Ok(Fact { event_type, payload: json!({ "host": webhook.host() }) })
    }
}

/// What the webhook is told of a link: all of it goes into the fact, so that telling needs to read nothing.
async fn news(work: &Work, url: Option<String>, database: &Database) -> Result<Value, PublishError> {
    let mut data = json!({"subject_id": work.subject_id, "tenant_id": work.tenant_id, "url": url});
    if url.is_some() {
        let client = database.client().await?;
        let mut found = store::links(&client, std::slice::from_ref(&work.subject_id)).await?;
        if let Some(entry) = found.remove(&work.subject_id) {
            data["title"] = entry.title.into();
            data["external_url"] = entry.href.into();
            data["tags"] = entry.tags.iter().map(|tag| entry::label(tag)).collect();
        }
    }
    Ok(data)
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

    fn lane(&self, work: &Work) -> Option<Lane> {
        let webhook = self.webhook.as_ref().filter(|_| matches!(Asked::of(work), Asked::Webhook { .. }))?;
        Some(Lane { name: webhook.host(), interval: Duration::ZERO })
    }

    async fn handle(&self, work: &Work, context: &Context<'_>) -> Result<Fact, Failure> {
        let asked = Asked::of(work);
        if let Asked::Webhook { kind, data } = asked {
            return self.tell(work, &kind, data).await;
        }
        store::includes(context.database, work.triggered_by_event_id).await?;
        if asked == Asked::Link {
            return self.publish(work, context).await;
        }
        // Any publication looks at the rules about tags first, and several at once share it.
        self.together.link(context.database, &work.subject_id).await?;
        Ok(Fact { event_type: "publish.refreshed", payload: json!({}) })
    }
}
