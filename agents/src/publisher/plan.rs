//! Which files a change of links touches.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::index::{Index, Known};
use super::listing::{Listing, Node, Place};
use super::page::{self, Page};

/// A link that came, changed or went.
#[derive(Debug, Clone)]
pub struct Change {
    /// Which.
    pub subject: String,
    /// As it is from now on; none takes it out.
    pub link: Option<Known>,
}

/// Files to write and to take away, each with its tenant.
#[derive(Debug, Default)]
pub struct Plan {
    /// Written where their bytes change.
    pub write: BTreeSet<(Page, String)>,
    /// Taken away.
    pub remove: BTreeSet<(Page, String)>,
}

/// A list that changes: all links of a tenant, or those of one of its tags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Which {
    tenant: String,
    tag: Option<String>,
}

/// What is about to happen to a list.
#[derive(Default)]
struct Touched {
    places: Vec<Place>,
    /// Its pages before, and the months that were looked at.
    pages: BTreeMap<Node, bool>,
    months: BTreeSet<Date>,
}

impl Plan {
    /// Every file of every site.
    pub fn whole(index: &Index) -> Self {
        let mut plan = Self::default();
        for (tenant, site) in index.sites() {
            plan.write.extend(site.pages().into_iter().map(|page| (page, tenant.clone())));
        }
        plan.write.extend(index.links().map(|link| (Page::Link(link.place.id), link.tenant.clone())));
        plan
    }

    /// Brings the index up to date, and says what that does to the files.
    pub fn apply(index: &mut Index, changes: Vec<Change>) -> Self {
        let mut touched: BTreeMap<Which, Touched> = BTreeMap::new();
        let mut plan = Self::default();
        for change in &changes {
            let before = index.link(&change.subject);
            if let Some(before) = before {
                plan.remove.insert((Page::Link(before.place.id), before.tenant.clone()));
            }
            if let Some(after) = &change.link {
                plan.write.insert((Page::Link(after.place.id), after.tenant.clone()));
                if index.site(&after.tenant).is_none() {
                    plan.write.extend(Page::always().map(|page| (page, after.tenant.clone())));
                }
            }
            for link in before.into_iter().chain(&change.link) {
                for which in lists(link) {
                    touched.entry(which).or_default().places.push(link.place);
                }
            }
        }
        for (which, touched) in &mut touched {
            touched.look(which, index);
        }
        let initials = initials(&touched, index);
        for change in changes {
            match change.link {
                Some(link) => index.insert(link),
                None => index.remove(&change.subject),
            }
        }
        for (which, touched) in &touched {
            plan.add(which, touched, index);
        }
        plan.add_initials(&touched, &initials, index);
        // A page that one change writes and another takes away (a link that moved to another tenant) is written.
        plan.remove = plan.remove.difference(&plan.write).cloned().collect();
        plan
    }

    fn add(&mut self, which: &Which, before: &Touched, index: &Index) {
        let Some(site) = index.site(&which.tenant) else { return };
        let tenant = &which.tenant;
        let mut write = |page| self.write.extend([(page, tenant.clone())]);
        let Some(tag) = &which.tag else {
            for page in [Page::Archive, Page::Tags, Page::Home, Page::Atom, Page::Json] {
                write(page);
            }
            self.past(tenant, before, &site.all.pages(&before.months), Page::Past);
            return;
        };
        let page = Page::Tag(tag.clone());
        let after = match site.tags.get(tag) {
            Some(list) => {
                write(page);
                past(list, &before.reach(list))
            }
            None => {
                self.remove.insert((page, tenant.clone()));
                BTreeMap::new()
            }
        };
        self.past(tenant, before, &after, |node| Page::TagPast(tag.clone(), node));
    }

    /// The pages of tags by initial: those of tags whose counts change, and those that begin or end to be needed.
    fn add_initials(&mut self, touched: &BTreeMap<Which, Touched>, before: &Initials, index: &Index) {
        let after = initials(touched, index);
        for which in touched.keys() {
            let tag = which.tag.as_deref().map(page::initial);
            if let Some(initial) =
                tag.filter(|initial| after.get(&which.tenant).is_some_and(|set| set.contains(initial)))
            {
                self.write.insert((Page::Initial(initial), which.tenant.clone()));
            }
        }
        let pages = |of: &Initials| -> BTreeSet<(Page, String)> {
            let page = |(tenant, set): (&String, &BTreeSet<char>)| {
                set.iter().map(|c| (Page::Initial(*c), tenant.clone())).collect::<Vec<_>>()
            };
            of.iter().flat_map(page).collect()
        };
        let (before, after) = (pages(before), pages(&after));
        self.write.extend(after.difference(&before).cloned());
        self.remove.extend(before.difference(&after).cloned());
    }

    /// Pages of the past: those that are new, that were one page and are cut now (or the other way), and that hold a
    /// link that changed are written; those that are no more are taken away.
    fn past(&mut self, tenant: &str, before: &Touched, after: &BTreeMap<Node, bool>, page: impl Fn(Node) -> Page) {
        let remade =
            after.iter().filter(|(node, cut)| before.pages.get(node) != Some(cut)).map(|(node, _)| node.clone());
        for node in remade.chain(before.places.iter().flat_map(|place| way(*place, after))) {
            self.write.insert((page(node), tenant.to_owned()));
        }
        for gone in before.pages.keys().filter(|node| !after.contains_key(node)) {
            self.remove.insert((page(gone.clone()), tenant.to_owned()));
        }
    }
}

impl Touched {
    /// Notes how the list is now.
    fn look(&mut self, which: &Which, index: &Index) {
        self.months = self.places.iter().map(|place| Node::month(*place)).collect();
        let Some(site) = index.site(&which.tenant) else { return };
        match &which.tag {
            None => self.pages = site.all.pages(&self.months),
            Some(tag) => {
                if let Some(list) = site.tags.get(tag) {
                    self.months = self.reach(list);
                    self.pages = past(list, &self.months);
                }
            }
        }
    }

    /// The months to look at: all, where the list is so short that its past may begin or end with this change.
    fn reach(&self, list: &Listing) -> BTreeSet<Date> {
        let mut months = self.months.clone();
        if list.len() <= page::NEWEST + self.places.len() {
            months.extend(list.months().into_iter().map(|(month, _)| month));
        }
        months
    }
}

/// The initials that have a page, by tenant.
type Initials = BTreeMap<String, BTreeSet<char>>;

fn initials(touched: &BTreeMap<Which, Touched>, index: &Index) -> Initials {
    let tenants: BTreeSet<&String> = touched.keys().map(|which| &which.tenant).collect();
    let of = |tenant: &String| Some((tenant.clone(), index.site(tenant)?.initials()));
    tenants.into_iter().filter_map(of).collect()
}

/// The pages on which a place is found, from its month on.
fn way(place: Place, pages: &BTreeMap<Node, bool>) -> Vec<Node> {
    let mut way = Vec::new();
    let mut node = Node::Month(Node::month(place));
    while let Some(cut) = pages.get(&node) {
        let part = node.part(place);
        way.push(std::mem::replace(&mut node, part));
        if !cut {
            break;
        }
    }
    way
}

fn past(list: &Listing, months: &BTreeSet<Date>) -> BTreeMap<Node, bool> {
    if page::has_past(list.len()) { list.pages(months) } else { BTreeMap::new() }
}

fn lists(link: &Known) -> Vec<Which> {
    let which = |tag| Which { tenant: link.tenant.clone(), tag };
    link.tags.iter().map(|tag| which(Some(tag.clone()))).chain([which(None)]).collect()
}

#[cfg(test)]
mod tests;
