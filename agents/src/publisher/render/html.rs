//! The pages. Askama escapes every value that it puts in; addresses were checked when the entry was made.

use askama::Template;
use jiff::civil::Date;

use super::super::entry::{Entry, label};
use super::super::error::PublishError;
use super::super::listing::{Content, Listing, Node};
use super::super::page::{MOST_TAGS, Page, has_past, initial};
use super::super::slug::slug;
use super::super::{clean, day};
use super::Scene;

/// Tags that the first page names.
const POPULAR: usize = 16;

/// What stands around every page.
struct Frame {
    /// The page's own title.
    title: String,
    /// For search engines and link previews.
    description: String,
    site: String,
    root: &'static str,
    policy: &'static str,
    canonical: Option<String>,
    /// Which part of the navigation it belongs to.
    section: &'static str,
}

/// A tag with the way to its page, from the site's folder.
struct Tag {
    label: String,
    path: String,
    count: usize,
}

/// A link in a list.
struct Item<'a> {
    entry: &'a Entry,
    /// The way to its own page, from the site's folder.
    path: String,
    iso: String,
    day: String,
    tags: Vec<Tag>,
}

/// The links of a day.
struct Group<'a> {
    heading: String,
    items: Vec<Item<'a>>,
}

/// A page of the past.
struct Period {
    title: String,
    path: String,
    count: usize,
}

#[derive(Template)]
#[template(path = "publisher/home.html")]
struct Home<'a> {
    frame: Frame,
    groups: Vec<Group<'a>>,
    total: usize,
    more: bool,
    tags: Vec<Tag>,
}

#[derive(Template)]
#[template(path = "publisher/link.html")]
struct Link<'a> {
    frame: Frame,
    item: Item<'a>,
    month: Period,
}

#[derive(Template)]
#[template(path = "publisher/tag.html")]
struct OneTag<'a> {
    frame: Frame,
    groups: Vec<Group<'a>>,
    label: String,
    total: usize,
    years: Vec<(String, Vec<Period>)>,
}

#[derive(Template)]
#[template(path = "publisher/past.html")]
struct Past<'a> {
    frame: Frame,
    /// The pages above this one.
    above: Vec<Period>,
    heading: String,
    groups: Vec<Group<'a>>,
    periods: Vec<Period>,
}

#[derive(Template)]
#[template(path = "publisher/archive.html")]
struct Archive {
    frame: Frame,
    total: usize,
    years: Vec<(String, Vec<Period>)>,
}

#[derive(Template)]
#[template(path = "publisher/tags.html")]
struct Tags {
    frame: Frame,
    heading: String,
    tags: Vec<Tag>,
    total: usize,
    initials: Vec<(String, String)>,
}

type Bytes = Result<Vec<u8>, PublishError>;

/// The newest links.
pub fn home(scene: &Scene<'_>, page: &Page, entries: &[&Entry]) -> Bytes {
    let tags = scene.site.tags_by_use().into_iter().take(POPULAR).map(|(tag, count)| named(tag, count)).collect();
    let site = scene.look.site_title(scene.tenant);
    let mut frame = scene.frame(page, "home", site.clone(), format!("The newest links of {site}"));
    frame.title = String::new();
    let total = scene.site.all.len();
    write(&Home { frame, groups: groups(entries), total, more: total > entries.len(), tags })
}

/// A link's own page.
pub fn link(scene: &Scene<'_>, page: &Page, entry: &Entry) -> Bytes {
    let description = entry.summary.first().map_or_else(|| entry.host.clone(), |text| clean::line(text, 200));
    let month = Node::Month(Node::month(entry.place));
    let month = Period { title: month.title(), path: Page::Past(month).path(), count: 0 };
    write(&Link { frame: scene.frame(page, "", entry.title.clone(), description), item: item(entry), month })
}

/// A tag's newest links.
pub fn tag(scene: &Scene<'_>, page: &Page, tag: &str, entries: &[&Entry]) -> Bytes {
    let list = scene.site.tags.get(tag).cloned().unwrap_or_default();
    let label = label(tag);
    let frame = scene.frame(page, "tags", format!("#{label}"), format!("Links tagged {label}"));
    let years =
        if has_past(list.len()) { years(&list, |node| Page::TagPast(tag.to_owned(), node)) } else { Vec::new() };
    write(&OneTag { frame, groups: groups(entries), label, total: list.len(), years })
}

/// A page of the past, of all links or of a tag's.
pub fn past(scene: &Scene<'_>, page: &Page, tag: Option<&str>, node: &Node, entries: &[&Entry]) -> Bytes {
    let at = |node: Node| match tag {
        None => Page::Past(node),
        Some(tag) => Page::TagPast(tag.to_owned(), node),
    };
    let period = |node: Node, count| Period { title: node.title(), path: at(node).path(), count };
    let list = match tag {
        None => Some(&scene.site.all),
        Some(tag) => scene.site.tags.get(tag),
    };
    let periods = match list.map(|list| list.content(node)) {
        Some(Content::Pages(pages)) => pages.into_iter().map(|(node, count)| period(node, count)).collect(),
        _ => Vec::new(),
    };
    let mut above: Vec<Period> =
        std::iter::successors(node.parent(), Node::parent).map(|node| period(node, 0)).collect();
    let top = tag.map_or(Page::Archive, |tag| Page::Tag(tag.to_owned()));
    let title = tag.map_or_else(|| "Archive".to_owned(), |tag| format!("#{}", label(tag)));
    above.push(Period { title: title.clone(), path: top.path(), count: 0 });
    above.reverse();
    let section = if tag.is_none() { "archive" } else { "tags" };
    let full = format!("{} · {title}", node.title());
    let frame = scene.frame(page, section, full.clone(), full);
    write(&Past { frame, above, heading: node.title(), groups: groups(entries), periods })
}

/// The months.
pub fn archive(scene: &Scene<'_>, page: &Page) -> Bytes {
    let years = years(&scene.site.all, Page::Past);
    let frame = scene.frame(page, "archive", "Archive".to_owned(), "All links by month".to_owned());
    write(&Archive { frame, total: scene.site.all.len(), years })
}

/// The most used tags, or all of an initial.
pub fn tags(scene: &Scene<'_>, page: &Page) -> Bytes {
    let all = scene.site.tags_by_use();
    let total = all.len();
    let initials: Vec<(String, String)> =
        scene.site.initials().into_iter().map(|c| (c.to_string(), Page::Initial(c).path())).collect();
    let (heading, mut tags) = match page {
        Page::Initial(c) => (format!("Tags: {c}"), all.into_iter().filter(|(tag, _)| initial(tag) == *c).collect()),
        _ if initials.is_empty() => ("Tags".to_owned(), all),
        _ => ("Most used tags".to_owned(), all.into_iter().take(MOST_TAGS).collect::<Vec<_>>()),
    };
    tags.sort_by_cached_key(|(tag, _)| (label(tag).to_lowercase(), *tag));
    let tags = tags.into_iter().map(|(tag, count)| named(tag, count)).collect();
    let frame = scene.frame(page, "tags", heading.clone(), "Links by tag".to_owned());
    write(&Tags { frame, heading, tags, total, initials })
}

impl Scene<'_> {
    fn frame(&self, page: &Page, section: &'static str, title: String, description: String) -> Frame {
        Frame {
            title,
            description,
            site: self.look.site_title(self.tenant),
            root: page.root(),
            policy: self.look.policy(),
            canonical: self.look.canonical(self.tenant, &page.path()),
            section,
        }
    }
}

/// How strongly a tag is shown, from 1 to 5: by its use, not by whose it is.
impl Tag {
    fn weight(&self) -> u32 {
        (self.count.max(1).ilog2() / 2 + 1).min(5)
    }
}

fn write(page: &impl Template) -> Bytes {
    page.render().map(String::into_bytes).map_err(PublishError::rendering)
}

fn named(tag: &str, count: usize) -> Tag {
    Tag { label: label(tag), path: format!("tags/{}/index.html", slug(tag)), count }
}

fn item(entry: &Entry) -> Item<'_> {
    Item {
        entry,
        path: Page::Link(entry.place.id).path(),
        iso: day::rfc3339(entry.place.at),
        day: day::long(day::of(entry.place.at)),
        tags: entry.tags.iter().map(|tag| named(tag, 0)).collect(),
    }
}

fn groups<'a>(entries: &[&'a Entry]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut last: Option<Date> = None;
    for entry in entries {
        let day = day::of(entry.place.at);
        if last != Some(day) {
            groups.push(Group { heading: day::with_weekday(day), items: Vec::new() });
            last = Some(day);
        }
        if let Some(group) = groups.last_mut() {
            group.items.push(item(entry));
        }
    }
    groups
}

fn years(list: &Listing, page: impl Fn(Node) -> Page) -> Vec<(String, Vec<Period>)> {
    let mut years: Vec<(String, Vec<Period>)> = Vec::new();
    for (month, count) in list.months() {
        let year = month.year().to_string();
        let node = Node::Month(month);
        let period = Period { title: month.strftime("%B").to_string(), path: page(node).path(), count };
        match years.last_mut() {
            Some((last, months)) if *last == year => months.push(period),
            _ => years.push((year, vec![period])),
        }
    }
    years
}
