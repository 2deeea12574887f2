#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod api;
mod injection;
mod scripted;
mod settings;

use std::collections::BTreeMap;
use std::time::Duration;

use lifestream_envelope::settings::Settings;
use lifestream_envelope::work::Work;
use serde_json::{Value, json};

use super::page::Page;
use super::tags::KnownTags;
use super::{Enricher, Fact, Failure, Lane};
use crate::catalog;

const KEY: &str = "sk-a-key-that-nobody-may-see";
const MODEL: &str = "scripted-1";

fn settings(pairs: &[(&str, &str)]) -> Settings {
    let environment: BTreeMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let folder = tempfile::tempdir().unwrap();
    Settings::load_from(&BTreeMap::new(), environment, folder.path()).unwrap()
}

/// An enricher that asks at this address.
fn enricher(base: &str, patience: Duration) -> Enricher {
    let settings = settings(&[("OPENAI_API_KEY", KEY), ("OPENAI_BASE_URL", base), ("OPENAI_MODEL", MODEL)]);
    Enricher::patient(&settings, patience).unwrap()
}

fn work(text: &str) -> Work {
    let payload =
        json!({"text_content": text, "fetch_error": null, "metadata": {"title": "A title", "language": "en"}});
    let message = json!({
        "id": "01890a5d-ac96-774b-bcce-b302099a8057", "subject": "link", "subject_id": "link:mine", "work_type": "enrich_link",
        "correlation_id": null, "triggered_by_event_id": "01890a5d-ac96-774b-bcce-b302099a8058", "attempt": 1,
        "max_attempts": 3, "created_at": "2026-01-01T00:00:00Z", "not_before": null, "last_error": null, "payload": payload,
    });
    Work::parse(message.to_string().as_bytes()).unwrap()
}

fn known(tags: &[&str]) -> KnownTags {
    KnownTags::new(tags.iter().map(|tag| tag_of(tag, 3, false)).collect::<Vec<_>>().iter())
}

/// A tag of the catalog.
fn tag_of(tag: &str, links: u64, given: bool) -> catalog::Value {
    catalog::Value { tag: tag.to_owned(), label: String::new(), links, given }
}

async fn enrich(enricher: &Enricher, text: &str) -> Result<Fact, Failure> {
    enricher.enrich(Page::of(&work(text))?, known(&["databases", "Rust"])).await
}

fn members(payload: &Value) -> Vec<&str> {
    payload.as_object().unwrap().keys().map(String::as_str).collect()
}
