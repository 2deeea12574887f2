//! The files of a site, by name.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::civil::Date;
use uuid::Uuid;

use super::index::Site;
use super::listing::Node;
use super::slug::slug;

/// Newest links on the first page, in the feeds, and on a tag's first page.
pub const NEWEST: usize = 50;
/// Tags on the page of tags; where there are more, the rest is by initial.
pub const MOST_TAGS: usize = 300;

/// A file of a tenant's site. Written in this order: what lists link to is there before they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Page {
    /// The stylesheet.
    Style,
    /// The icon.
    Icon,
    /// A link's own page.
    Link(Uuid),
    /// A page of the past.
    Past(Node),
    /// A page of a tag's past.
    TagPast(String, Node),
    /// The months.
    Archive,
    /// A tag's newest links.
    Tag(String),
    /// All tags with that initial.
    Initial(char),
    /// The most used tags.
    Tags,
    /// The newest links.
    Home,
    /// The Atom feed.
    Atom,
    /// The JSON Feed.
    Json,
}

impl Page {
    /// Where it is below its site's folder, with `/` between folders: a relative URL as well.
    pub fn path(&self) -> String {
        match self {
            Self::Style => "style.css".to_owned(),
            Self::Icon => "icon.svg".to_owned(),
            Self::Link(id) => format!("links/{}.html", id.simple()),
            Self::Past(node) => format!("archive/{}.html", node.name()),
            Self::TagPast(tag, node) => format!("tags/{}/{}.html", slug(tag), node.name()),
            Self::Archive => "archive/index.html".to_owned(),
            Self::Tag(tag) => format!("tags/{}/index.html", slug(tag)),
            Self::Initial(initial) => format!("tags/all-{initial}.html"),
            Self::Tags => "tags/index.html".to_owned(),
            Self::Home => "index.html".to_owned(),
            Self::Atom => "feed.atom".to_owned(),
            Self::Json => "feed.json".to_owned(),
        }
    }

    /// The way from its folder to its site's: `""`, `../` or `../../`.
    pub fn root(&self) -> &'static str {
        match self {
            Self::Style | Self::Icon | Self::Home | Self::Atom | Self::Json => "",
            Self::Link(_) | Self::Past(_) | Self::Archive | Self::Initial(_) | Self::Tags => "../",
            Self::TagPast(..) | Self::Tag(_) => "../../",
        }
    }

    /// Those that every site has.
    pub fn always() -> [Self; 7] {
        [Self::Style, Self::Icon, Self::Archive, Self::Tags, Self::Home, Self::Atom, Self::Json]
    }
}

/// Where a tenant's site is below the folder: `""`, or `t/<slug>/`.
pub fn site_path(tenant: &str) -> String {
    if tenant.is_empty() { String::new() } else { format!("t/{}/", slug(tenant)) }
}

/// A path with `/` below a folder.
pub fn below(folder: &std::path::Path, path: &str) -> PathBuf {
    path.split('/').filter(|part| !part.is_empty()).fold(folder.to_owned(), |folder, part| folder.join(part))
}

/// The page of tags that a tag stands on where there are too many for one.
pub fn initial(tag: &str) -> char {
    slug(tag).chars().next().filter(char::is_ascii_alphanumeric).unwrap_or('x')
}

/// Whether a tag's links are too many for its first page.
pub fn has_past(links: usize) -> bool {
    links > NEWEST
}

impl Site {
    /// Every page of it, but the links' own.
    pub fn pages(&self) -> BTreeSet<Page> {
        let months = |months: Vec<(Date, usize)>| months.into_iter().map(|(month, _)| month).collect::<BTreeSet<_>>();
        let mut pages: BTreeSet<Page> = Page::always().into();
        pages.extend(self.all.pages(&months(self.all.months())).into_keys().map(Page::Past));
        for (tag, list) in &self.tags {
            pages.insert(Page::Tag(tag.clone()));
            if has_past(list.len()) {
                let past = list.pages(&months(list.months())).into_keys();
                pages.extend(past.map(|node| Page::TagPast(tag.clone(), node)));
            }
        }
        pages.extend(self.initials().into_iter().map(Page::Initial));
        pages
    }

    /// The initials that have a page.
    pub fn initials(&self) -> BTreeSet<char> {
        if self.tags.len() <= MOST_TAGS { BTreeSet::new() } else { self.tags.keys().map(|tag| initial(tag)).collect() }
    }
}
