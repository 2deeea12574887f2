//! Fetches a link's page and finds the article in it.

use async_trait::async_trait;
use lifestream_envelope::groups;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::work::Work;

use crate::AgentError;
use crate::runner::{Agent, Context, Fact, Failure};

/// Fetches a link's page and finds the article in it.
pub struct Fetcher {}

impl Fetcher {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that it needs is missing or wrong.
    pub fn new(_settings: &Settings) -> Result<Self, AgentError> {
        Ok(Self {})
    }
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

    async fn handle(&self, _work: &Work, _context: &Context<'_>) -> Result<Fact, Failure> {
        Err(Failure::Permanent { error: "not built yet".to_owned() })
    }
}
