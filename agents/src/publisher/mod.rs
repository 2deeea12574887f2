//! Publishes enriched links as feeds and a small static site.

use async_trait::async_trait;
use lifestream_envelope::groups;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::work::Work;

use crate::AgentError;
use crate::runner::{Agent, Context, Fact, Failure};

/// Publishes enriched links as feeds and a small static site.
pub struct Publisher {}

impl Publisher {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that it needs is missing or wrong.
    pub fn new(_settings: &Settings) -> Result<Self, AgentError> {
        Ok(Self {})
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

    async fn handle(&self, _work: &Work, _context: &Context<'_>) -> Result<Fact, Failure> {
        Err(Failure::Permanent { error: "not built yet".to_owned() })
    }
}
