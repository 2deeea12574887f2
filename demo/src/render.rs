//! From Markdown to a page as sites have it: with a header, a menu, things at the side and a footer around the text.

use askama::Template;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, html};

use crate::library::Library;
use crate::page::Page;
use crate::sites::{SITES, Site};

/// Links in a text to another of our sites begin with this.
const SITE_LINK: &str = "site:";

/// What the pages of one request need: the links have to carry the port that the reader came in by.
pub struct Renderer<'a> {
    /// For what stands beside the text.
    pub library: &'a Library,
    /// `:8808`, or nothing.
    pub port: &'a str,
}

#[derive(Template)]
#[template(path = "page.html")]
struct PageTemplate<'a> {
    site: &'a Site,
    page: &'a Page,
    charset: &'a str,
    url: String,
    picture: Option<String>,
    body: String,
    others: Vec<&'a Page>,
    sites: Vec<(&'a Site, String)>,
}

#[derive(Template)]
#[template(path = "list.html")]
struct ListTemplate<'a> {
    site: &'a Site,
    pages: Vec<&'a Page>,
    sites: Vec<(&'a Site, String)>,
}

#[derive(Template)]
#[template(path = "directory.html")]
struct DirectoryTemplate<'a> {
    sites: Vec<(&'a Site, String, Vec<&'a Page>)>,
    published: String,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct NoticeTemplate<'a> {
    site: &'a Site,
    title: &'a str,
    text: &'a str,
}

impl<'a> Renderer<'a> {
    /// A page with its text.
    ///
    /// # Errors
    /// None that the templates know of; askama's signature has one.
    pub fn page(&self, site: &Site, page: &Page) -> askama::Result<String> {
        let others = self.library.of_site(site.label).into_iter().filter(|other| other.path != page.path);
        PageTemplate {
            site,
            page,
            charset: page.charset.as_deref().unwrap_or("utf-8"),
            url: format!("{}{}", self.origin(site.label), page.path),
            picture: page.summary.is_some().then(|| format!("{}/art/{}.svg", self.origin(site.label), page.slug())),
            body: self.body(page),
            others: others.filter(|other| !is_private(site, other)).take(5).collect(),
            sites: self.neighbours(),
        }
        .render()
    }

    /// What a site has.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub fn list(&self, site: &Site) -> askama::Result<String> {
        let pages = self.library.of_site(site.label).into_iter().filter(|page| !is_private(site, page)).collect();
        ListTemplate { site, pages, sites: self.neighbours() }.render()
    }

    /// All sites.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub fn directory(&self) -> askama::Result<String> {
        let with_pages = |site: &'a Site| {
            let pages = self.library.of_site(site.label).into_iter().filter(|page| !is_private(site, page)).collect();
            (site, self.origin(site.label), pages)
        };
        let sites = SITES.iter().map(with_pages).collect();
        DirectoryTemplate { sites, published: self.origin("feed") }.render()
    }

    /// A few words in place of a page.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub fn notice(site: &Site, title: &str, text: &str) -> askama::Result<String> {
        NoticeTemplate { site, title, text }.render()
    }

    fn origin(&self, label: &str) -> String {
        format!("http://{label}.demo.localhost{}", self.port)
    }

    fn neighbours(&self) -> Vec<(&'a Site, String)> {
        SITES.iter().take(8).map(|site| (site, self.origin(site.label))).collect()
    }

    fn body(&self, page: &Page) -> String {
        let mut options = Options::ENABLE_TABLES;
        if page.lang == "en" {
            // Other languages have quotation marks of their own, which their authors wrote.
            options |= Options::ENABLE_SMART_PUNCTUATION;
        }
        let events = Parser::new_ext(&page.body, options).map(|event| match event {
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                Event::Start(Tag::Link { link_type, dest_url: self.destination(dest_url), title, id })
            }
            other => other,
        });
        let mut body = String::with_capacity(page.body.len() * 5 / 4);
        html::push_html(&mut body, events);
        body
    }

    /// `site:science/moss` is a page of ours, wherever we happen to listen.
    fn destination<'t>(&self, link: CowStr<'t>) -> CowStr<'t> {
        match link.strip_prefix(SITE_LINK).and_then(|place| place.split_once('/')) {
            Some((label, path)) => format!("{}/{path}", self.origin(label)).into(),
            None => link,
        }
    }
}

fn is_private(site: &Site, page: &Page) -> bool {
    site.private.is_some_and(|folder| page.path.starts_with(folder))
}
