//! The Atom feed (RFC 4287).

use askama::Template;
use atom_syndication::{Category, Content, Entry as Item, Feed, FixedDateTime, Generator, Link, Person, Text};

use super::super::day;
use super::super::entry::{Entry, label};
use super::super::error::PublishError;
use super::super::look::Look;
use super::super::page::Page;

/// An entry's text for feed readers: the templates' escaping once, the feed's own on top of it.
#[derive(Template)]
#[template(path = "publisher/content.html")]
struct Body<'a> {
    entry: &'a Entry,
    tags: Vec<(String, String)>,
}

/// The newest links.
pub fn feed(look: &Look, tenant: &str, entries: &[&Entry]) -> Result<Vec<u8>, PublishError> {
    let title = look.site_title(tenant);
    let newest = entries.iter().map(|entry| entry.updated).max().unwrap_or(0);
    let feed = Feed {
        title: Text::plain(title.clone()),
        id: look.feed_id(tenant, None),
        updated: time(newest)?,
        authors: vec![person(&title)],
        generator: Some(Generator {
            value: "pg_lifestream".to_owned(),
            uri: Some(env!("CARGO_PKG_REPOSITORY").to_owned()),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }),
        links: vec![
            link("self", look.address(tenant, &Page::Atom.path()), "application/atom+xml"),
            link("alternate", look.address(tenant, &Page::Home.path()), "text/html"),
        ],
        entries: entries.iter().map(|entry| item(look, tenant, entry)).collect::<Result<_, _>>()?,
        ..Feed::default()
    };
    let mut bytes = b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n".to_vec();
    let plain = atom_syndication::WriteConfig { write_document_declaration: false, indent_size: None };
    feed.write_with_config(&mut bytes, plain).map_err(PublishError::rendering)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// An entry's text in HTML.
pub fn content(look: &Look, tenant: &str, entry: &Entry) -> Result<String, PublishError> {
    let tag = |tag: &String| (label(tag), look.address(tenant, &Page::Tag(tag.clone()).path()));
    Body { entry, tags: entry.tags.iter().map(tag).collect() }.render().map_err(PublishError::rendering)
}

fn item(look: &Look, tenant: &str, entry: &Entry) -> Result<Item, PublishError> {
    let mut links = vec![link("alternate", look.address(tenant, &Page::Link(entry.place.id).path()), "text/html")];
    // Of what kind the original is, we do not promise.
    links.extend(entry.href.iter().map(|href| Link { mime_type: None, ..link("related", href.clone(), "") }));
    Ok(Item {
        title: Text::plain(entry.title.clone()),
        id: look.feed_id(tenant, Some(&entry.subject)),
        updated: time(entry.updated)?,
        published: Some(time(entry.place.at)?),
        authors: entry.byline.iter().map(|name| person(name)).collect(),
        categories: entry.tags.iter().map(|tag| category(tag)).collect(),
        summary: (!entry.summary.is_empty()).then(|| Text::plain(entry.summary.join("\n\n"))),
        content: Some(Content {
            content_type: Some("html".to_owned()),
            value: Some(content(look, tenant, entry)?),
            lang: entry.lang.clone(),
            ..Content::default()
        }),
        links,
        ..Item::default()
    })
}

fn category(tag: &str) -> Category {
    Category { term: label(tag), ..Category::default() }
}

fn person(name: &str) -> Person {
    Person { name: name.to_owned(), ..Person::default() }
}

fn link(rel: &str, href: String, mime_type: &str) -> Link {
    Link { rel: rel.to_owned(), href, mime_type: Some(mime_type.to_owned()), ..Link::default() }
}

fn time(micros: i64) -> Result<FixedDateTime, PublishError> {
    day::rfc3339(micros).parse().map_err(PublishError::rendering)
}
