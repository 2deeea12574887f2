//! The fetcher, with a web site on loopback.

use std::path::Path;

use lifestream_envelope::groups;
use serde_json::{Value, json};

use crate::agent::AgentCase;
use crate::site::Site;

pub struct Fetcher;

impl AgentCase for Fetcher {
    fn name(&self) -> &'static str {
        "fetcher"
    }

    fn work_type(&self) -> &'static str {
        "fetch_link"
    }

    fn group(&self) -> &'static str {
        groups::FETCHER
    }

    fn fact(&self) -> &'static str {
        "content.fetched"
    }

    fn settings(&self, site: &Site, _: &Path) -> Vec<(String, String)> {
        [("LIFESTREAM_FETCH_ALLOW", site.address.to_string()), ("LIFESTREAM_FETCH_INTERVAL", "1ms".to_owned())]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    fn payload(&self, site: &Site, name: &str) -> Value {
        json!({ "url": format!("http://{}/page/{name}", site.address) })
    }
}
