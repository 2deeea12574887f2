//! The publisher, with a folder and a webhook on loopback: telling that is what the world outside sees of it.

use std::path::Path;

use lifestream_envelope::groups;
use serde_json::{Value, json};

use crate::agent::{AgentCase, Bench, subject};
use crate::cases::NAMES;
use crate::site::Site;

pub struct Publisher;

impl AgentCase for Publisher {
    fn name(&self) -> &'static str {
        "publisher"
    }

    fn work_type(&self) -> &'static str {
        "publish_link"
    }

    fn group(&self) -> &'static str {
        groups::PUBLISHER
    }

    fn fact(&self) -> &'static str {
        "webhook.delivered"
    }

    fn settings(&self, site: &Site, folder: &Path) -> Vec<(String, String)> {
        [
            ("LIFESTREAM_FEED_DIR", folder.display().to_string()),
            ("LIFESTREAM_FEED_URL", "https://feed.example.org".to_owned()),
            ("LIFESTREAM_WEBHOOK_URL", format!("http://{}/hook", site.address)),
            ("LIFESTREAM_WEBHOOK_SECRET", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Links that are enriched already, through the real bridge and materializer.
    fn set_up(&self, bench: &Bench) {
        for name in NAMES {
            let subject = subject(name);
            bench.pipeline.database.psql(&format!(
                "SELECT lifestream.emit_event('link.added', 'link', '{subject}', '{{\"url\": \"https://example.org/{name}\", \"title\": \"{name}\"}}');
                 SELECT lifestream.emit_event('content.fetched', 'link', '{subject}', '{{\"text_content\": \"t\", \"fetch_error\": null, \"metadata\": {{}}}}');
                 SELECT lifestream.emit_event('enrichment.completed', 'link', '{subject}',
                    '{{\"tags\": [\"bread\"], \"summary\": \"A summary.\", \"topic\": \"Baking\", \"model\": \"test\"}}')"
            ));
        }
        bench.pipeline.run(&["bridge", "--until-idle"]);
        bench.pipeline.run(&["materializer", "--until-idle"]);
    }

    fn payload(&self, _: &Site, name: &str) -> Value {
        json!({ "what": "webhook", "type": "publish.completed", "data": { "subject_id": subject(name) } })
    }
}
