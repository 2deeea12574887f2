//! What the folder shows: every published link with the lists that it stands in. A few hundred bytes for each link; texts
//! are read when a page is written.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entry::Entry;
use super::listing::{Listing, Place};

/// A published link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Its subject.
    pub subject: String,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tenant: String,
    /// Where it stands in every list.
    #[serde(flatten)]
    pub place: Place,
    /// The lists of tags that it stands in, sorted.
    pub tags: Vec<String>,
    /// Of all that pages show of it.
    pub digest: String,
}

impl From<&Entry> for Known {
    fn from(entry: &Entry) -> Self {
        Self {
            subject: entry.subject.clone(),
            tenant: entry.tenant.clone(),
            place: entry.place,
            tags: entry.tags.clone(),
            digest: entry.digest(),
        }
    }
}

/// One tenant's lists.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// All links.
    pub all: Listing,
    /// Those of each tag that has any.
    pub tags: BTreeMap<String, Listing>,
}

/// What the folder shows.
#[derive(Debug, Clone, Default)]
pub struct Index {
    links: HashMap<String, Known>,
    subjects: HashMap<Uuid, String>,
    sites: BTreeMap<String, Site>,
}

impl Index {
    /// How many links there are.
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// A link by its subject.
    pub fn link(&self, subject: &str) -> Option<&Known> {
        self.links.get(subject)
    }

    /// All links, in no order.
    pub fn links(&self) -> impl Iterator<Item = &Known> {
        self.links.values()
    }

    /// The subject of a link's page.
    pub fn subject(&self, id: Uuid) -> Option<&str> {
        self.subjects.get(&id).map(String::as_str)
    }

    /// Every tenant with its lists; that of nobody (`''`) always, so that an empty site is a site as well.
    pub fn sites(&self) -> &BTreeMap<String, Site> {
        &self.sites
    }

    /// A tenant's lists.
    pub fn site(&self, tenant: &str) -> Option<&Site> {
        self.sites.get(tenant)
    }

    /// Takes up a site, also where it has no links yet.
    pub fn open_site(&mut self, tenant: &str) -> &mut Site {
        self.sites.entry(tenant.to_owned()).or_default()
    }

    /// Puts a link in, in place of what was known of it.
    pub fn insert(&mut self, link: Known) {
        self.remove(&link.subject);
        let site = self.open_site(&link.tenant);
        site.all.insert(link.place);
        for tag in &link.tags {
            site.tags.entry(tag.clone()).or_default().insert(link.place);
        }
        self.subjects.insert(link.place.id, link.subject.clone());
        self.links.insert(link.subject.clone(), link);
    }

    /// Takes a link out. Lists of tags that become empty vanish; a tenant's site stays, without links.
    pub fn remove(&mut self, subject: &str) {
        let Some(link) = self.links.remove(subject) else { return };
        self.subjects.remove(&link.place.id);
        let Some(site) = self.sites.get_mut(&link.tenant) else { return };
        site.all.remove(&link.place);
        for tag in &link.tags {
            if let Some(listing) = site.tags.get_mut(tag) {
                listing.remove(&link.place);
                if listing.is_empty() {
                    site.tags.remove(tag);
                }
            }
        }
    }
}

impl Site {
    /// The tags with how many links each has, the most used first.
    pub fn tags_by_use(&self) -> Vec<(&str, usize)> {
        let mut tags: Vec<(&str, usize)> = self.tags.iter().map(|(tag, list)| (tag.as_str(), list.len())).collect();
        tags.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        tags
    }
}
