//! All pages, found by site and path.

use std::collections::BTreeMap;

use crate::page::Page;
use crate::sites;

/// Place below `articles/` and text, by the build script.
const ARTICLES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/articles.rs"));

/// All pages.
#[derive(Debug)]
pub struct Library {
    pages: BTreeMap<(String, String), Page>,
}

impl Library {
    /// Reads what is built in.
    ///
    /// # Errors
    /// Names the file that is wrong, and what is wrong with it.
    pub fn load() -> Result<Self, String> {
        let mut pages = BTreeMap::new();
        for (place, text) in ARTICLES {
            let page = Page::parse(place, text)?;
            if sites::find(&page.site).is_none() {
                return Err(format!("articles/{place}.md: the site {} is not listed in sites.rs", page.site));
            }
            let key = (page.site.clone(), page.path.clone());
            if let Some(other) = pages.insert(key, page) {
                return Err(format!(
                    "articles/{place}.md: {}{} is the path of another page too",
                    other.site, other.path
                ));
            }
        }
        Ok(Self { pages })
    }

    /// The page with that path and query; else the one with that path, as whoever follows a link from a newsletter expects.
    pub fn find(&self, site: &str, path_and_query: &str) -> Option<&Page> {
        let get = |path: &str| self.pages.get(&(site.to_owned(), path.to_owned()));
        get(path_and_query).or_else(|| get(path_and_query.split('?').next().unwrap_or_default()))
    }

    /// Every page of a site, the newest first.
    pub fn of_site(&self, site: &str) -> Vec<&Page> {
        let mut pages: Vec<&Page> = self.pages().filter(|page| page.site == site).collect();
        pages.sort_by(|a, b| b.date.cmp(&a.date));
        pages
    }

    /// Every page.
    pub fn pages(&self) -> impl Iterator<Item = &Page> {
        self.pages.values()
    }
}
