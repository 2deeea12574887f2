//! What a work asks the publisher for: the route's payload map, `lifestream.publish_payload`, says it.

use lifestream_envelope::work::Work;
use serde::Deserialize;
use serde_json::Value;

/// What a work asks for.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Asked {
    /// That the pages of its subject, a link, are brought up to date. Routes of others' own ask for it with any payload.
    #[default]
    Link,
    /// That the pages are brought up to date on which merged and dropped tags stand.
    Tags,
    /// That the webhook is told.
    Webhook {
        /// The event type of the fact that it is told of.
        #[serde(rename = "type")]
        kind: String,
        /// What it is told, as the fact has it.
        data: Value,
    },
}

impl Asked {
    /// What this work asks for.
    pub fn of(work: &Work) -> Self {
        serde_json::from_str(work.payload.get()).unwrap_or_default()
    }
}
