//! The enricher, with an OpenAI-compatible API on loopback.

use std::path::Path;

use lifestream_envelope::groups;
use serde_json::{Value, json};

use crate::agent::AgentCase;
use crate::site::Site;

pub struct Enricher;

impl AgentCase for Enricher {
    fn name(&self) -> &'static str {
        "enricher"
    }

    fn work_type(&self) -> &'static str {
        "enrich_link"
    }

    fn group(&self) -> &'static str {
        groups::ENRICHER
    }

    fn fact(&self) -> &'static str {
        "enrichment.completed"
    }

    fn settings(&self, site: &Site, _: &Path) -> Vec<(String, String)> {
        [("OPENAI_API_KEY", "sk-test".to_owned()), ("OPENAI_BASE_URL", format!("http://{}/v1", site.address))]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    fn payload(&self, _: &Site, name: &str) -> Value {
        json!({ "text_content": Site::text(name), "fetch_error": null, "metadata": { "language": "en" } })
    }
}
