//! Pages and feeds, from the index and the entries that they show.

mod atom;
mod html;
mod json;

use std::collections::HashMap;

use super::entry::Entry;
use super::error::PublishError;
use super::index::{Index, Site};
use super::listing::{Content, Place};
use super::look::{ICON, Look, STYLE};
use super::page::{NEWEST, Page};

/// What is needed to make a tenant's files.
pub struct Scene<'a> {
    /// What all pages share.
    pub look: &'a Look,
    /// Whose site.
    pub tenant: &'a str,
    /// Its lists.
    pub site: &'a Site,
    /// The entries that are shown, by the id of their page. One that is missing has been removed meanwhile, and is left out.
    pub entries: &'a HashMap<String, Entry>,
    /// For the subjects.
    pub index: &'a Index,
}

/// The links that a page shows.
pub fn shown(page: &Page, site: &Site) -> Vec<Place> {
    let links = |content| match content {
        Content::Links(places) => places,
        Content::Pages(_) => Vec::new(),
    };
    match page {
        Page::Home | Page::Atom | Page::Json => site.all.newest(NEWEST),
        Page::Tag(tag) => site.tags.get(tag).map(|list| list.newest(NEWEST)).unwrap_or_default(),
        Page::Past(node) => links(site.all.content(node)),
        Page::TagPast(tag, node) => site.tags.get(tag).map(|list| links(list.content(node))).unwrap_or_default(),
        Page::Link(_) | Page::Style | Page::Icon | Page::Archive | Page::Initial(_) | Page::Tags => Vec::new(),
    }
}

impl Scene<'_> {
    /// The file's bytes; none for the page of a link that is no more.
    ///
    /// # Errors
    /// A template or a feed cannot be written, which no content can bring about.
    pub fn render(&self, page: &Page) -> Result<Option<Vec<u8>>, PublishError> {
        let places = shown(page, self.site);
        let entries: Vec<&Entry> = places.iter().filter_map(|place| self.entry(*place)).collect();
        let bytes = match page {
            Page::Style => STYLE.as_bytes().to_vec(),
            Page::Icon => ICON.as_bytes().to_vec(),
            Page::Atom => atom::feed(self.look, self.tenant, &entries)?,
            Page::Json => json::feed(self.look, self.tenant, &entries)?,
            Page::Link(id) => {
                let Some(entry) = self.index.subject(*id).and_then(|subject| self.entries.get(subject)) else {
                    return Ok(None);
                };
                html::link(self, page, entry)?
            }
            Page::Home => html::home(self, page, &entries)?,
            Page::Tag(tag) => html::tag(self, page, tag, &entries)?,
            Page::Past(node) => html::past(self, page, None, node, &entries)?,
            Page::TagPast(tag, node) => html::past(self, page, Some(tag), node, &entries)?,
            Page::Archive => html::archive(self, page)?,
            Page::Tags | Page::Initial(_) => html::tags(self, page)?,
        };
        Ok(Some(bytes))
    }

    fn entry(&self, place: Place) -> Option<&Entry> {
        self.entries.get(self.index.subject(place.id)?)
    }
}
