//! The JSON Feed (version 1.1).

use serde::Serialize;

use super::super::day;
use super::super::entry::{Entry, label};
use super::super::error::PublishError;
use super::super::look::Look;
use super::super::page::Page;
use super::atom;

#[derive(Serialize)]
struct Feed {
    version: &'static str,
    title: String,
    home_page_url: String,
    feed_url: String,
    authors: Vec<Author>,
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Author {
    name: String,
}

#[derive(Serialize)]
struct Item {
    id: String,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_url: Option<String>,
    title: String,
    content_html: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    date_published: String,
    date_modified: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Author>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
}

/// The newest links.
pub fn feed(look: &Look, tenant: &str, entries: &[&Entry]) -> Result<Vec<u8>, PublishError> {
    let title = look.site_title(tenant);
    let feed = Feed {
        version: "https://jsonfeed.org/version/1.1",
        home_page_url: look.address(tenant, &Page::Home.path()),
        feed_url: look.address(tenant, &Page::Json.path()),
        authors: vec![Author { name: title.clone() }],
        items: entries.iter().map(|entry| item(look, tenant, entry)).collect::<Result<_, _>>()?,
        title,
    };
    let mut bytes = serde_json::to_vec(&feed).map_err(PublishError::rendering)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn item(look: &Look, tenant: &str, entry: &Entry) -> Result<Item, PublishError> {
    Ok(Item {
        id: look.feed_id(tenant, Some(&entry.subject)),
        url: look.address(tenant, &Page::Link(entry.place.id).path()),
        external_url: entry.href.clone(),
        title: entry.title.clone(),
        content_html: atom::content(look, tenant, entry)?,
        summary: (!entry.summary.is_empty()).then(|| entry.summary.join("\n\n")),
        date_published: day::rfc3339(entry.place.at),
        date_modified: day::rfc3339(entry.updated),
        authors: entry.byline.iter().map(|name| Author { name: name.clone() }).collect(),
        tags: entry.tags.iter().map(|tag| label(tag)).collect(),
        language: entry.lang.clone(),
    })
}
