//! Gives a fetched link tags, a summary and a topic.

use async_trait::async_trait;
use lifestream_envelope::groups;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::work::Work;

use crate::AgentError;
use crate::runner::{Agent, Context, Fact, Failure};

/// Gives a fetched link tags, a summary and a topic.
pub struct Enricher {}

impl Enricher {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that it needs is missing or wrong.
    pub fn new(_settings: &Settings) -> Result<Self, AgentError> {
        Ok(Self {})
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

    async fn handle(&self, _work: &Work, _context: &Context<'_>) -> Result<Fact, Failure> {
        Err(Failure::Permanent { error: "not built yet".to_owned() })
    }
}
