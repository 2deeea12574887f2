//! An ordered list of links, cut into pages so that one link more or less changes few of them, however long it is.
//!
//! A month is one page while it has room; else it lists its days; a day without room is cut by the links' ids, a hex digit
//! at a time. So no page moves its content to the next one, and what a page holds depends on nothing but the links.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::day;

/// Where a link stands: by the time that it was first saved, then by the number of that event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Microseconds since 1970.
    pub at: i64,
    /// `links.first_seq`.
    pub seq: i64,
    /// The link's page.
    pub id: Uuid,
}

/// A page of a list's past.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// The month that begins on this day.
    Month(Date),
    /// A day.
    Day(Date),
    /// The links of a day whose ids begin with these digits.
    Part(Date, String),
}

/// Most links on one page of the past.
pub const ROOM: usize = 100;

/// An ordered list of links.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    places: BTreeSet<Place>,
}

impl Node {
    /// The month of a place.
    pub fn month(place: Place) -> Date {
        let day = day::of(place.at);
        Date::new(day.year(), day.month(), 1).unwrap_or(day)
    }

    /// Its file's name, without ending.
    pub fn name(&self) -> String {
        match self {
            Self::Month(first) => first.strftime("%Y-%m").to_string(),
            Self::Day(day) => day.strftime("%Y-%m-%d").to_string(),
            Self::Part(day, digits) => format!("{}-{digits}", day.strftime("%Y-%m-%d")),
        }
    }

    /// For people.
    pub fn title(&self) -> String {
        match self {
            Self::Month(first) => day::month(*first),
            Self::Day(day) => day::long(*day),
            Self::Part(day, digits) => format!("{}, part {digits}", day::long(*day)),
        }
    }

    /// The page that lists it.
    pub fn parent(&self) -> Option<Self> {
        match self {
            Self::Month(_) => None,
            Self::Day(day) => Some(Self::Month(day.first_of_month())),
            Self::Part(day, digits) if digits.len() == 1 => Some(Self::Day(*day)),
            Self::Part(day, digits) => Some(Self::Part(*day, digits.get(..digits.len() - 1)?.to_owned())),
        }
    }

    fn takes(&self, place: Place) -> bool {
        match self {
            Self::Month(_) | Self::Day(_) => true,
            Self::Part(_, digits) => place.id.simple().to_string().starts_with(digits.as_str()),
        }
    }

    /// From its first moment to its last.
    fn span(&self) -> RangeInclusive<Place> {
        let (from, to) = match self {
            Self::Month(first) => (*first, first.last_of_month()),
            Self::Day(day) | Self::Part(day, _) => (*day, *day),
        };
        let end = to.tomorrow().map_or(i64::MAX, |next| day::start(next) - 1);
        Place { at: day::start(from), seq: i64::MIN, id: Uuid::nil() }..=Place {
            at: end,
            seq: i64::MAX,
            id: Uuid::max(),
        }
    }

    /// Of what it is cut into, the page that has this place.
    pub fn part(&self, place: Place) -> Self {
        match self {
            Self::Month(_) => Self::Day(day::of(place.at)),
            Self::Day(day) => Self::Part(*day, digits(place, 1)),
            Self::Part(day, prefix) => Self::Part(*day, digits(place, prefix.len() + 1)),
        }
    }

    /// What it is cut into where it has no room.
    fn parts(&self, places: &[Place]) -> Vec<(Self, Vec<Place>)> {
        let mut parts: BTreeMap<Self, Vec<Place>> = BTreeMap::new();
        for place in places {
            parts.entry(self.part(*place)).or_default().push(*place);
        }
        parts.into_iter().collect()
    }

    /// All digits of an id are used up: no two links are alike so far.
    fn is_last(&self) -> bool {
        matches!(self, Self::Part(_, digits) if digits.len() == 32)
    }
}

/// What a page of the past shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Its links, newest first.
    Links(Vec<Place>),
    /// The pages that it is cut into, newest first, and how many links each has.
    Pages(Vec<(Node, usize)>),
}

impl Listing {
    /// How many links it has.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Adds a link.
    pub fn insert(&mut self, place: Place) {
        self.places.insert(place);
    }

    /// Takes one out.
    pub fn remove(&mut self, place: &Place) {
        self.places.remove(place);
    }

    /// The newest.
    pub fn newest(&self, most: usize) -> Vec<Place> {
        self.places.iter().rev().take(most).copied().collect()
    }

    /// Its months, newest first, with how many links each has.
    pub fn months(&self) -> Vec<(Date, usize)> {
        let mut months: Vec<(Date, usize)> = Vec::new();
        let mut next = self.places.last().copied();
        while let Some(place) = next {
            let month = Node::month(place);
            let span = Node::Month(month).span();
            months.push((month, self.places.range(span.clone()).count()));
            next = self.places.range(..*span.start()).next_back().copied();
        }
        months
    }

    /// What that page shows.
    pub fn content(&self, node: &Node) -> Content {
        let places = self.of(node);
        if places.len() <= ROOM || node.is_last() {
            return Content::Links(places.into_iter().rev().collect());
        }
        let mut parts: Vec<_> = node.parts(&places).into_iter().map(|(part, places)| (part, places.len())).collect();
        if matches!(node, Node::Month(_)) {
            parts.reverse();
        }
        Content::Pages(parts)
    }

    /// Every page of these months, and whether it is cut into others.
    pub fn pages(&self, months: &BTreeSet<Date>) -> BTreeMap<Node, bool> {
        let mut pages = BTreeMap::new();
        for month in months {
            let node = Node::Month(*month);
            let mut open = vec![(self.of(&node), node)];
            while let Some((places, node)) = open.pop() {
                if places.is_empty() {
                    continue;
                }
                let cut = places.len() > ROOM && !node.is_last();
                if cut {
                    open.extend(node.parts(&places).into_iter().map(|(part, places)| (places, part)));
                }
                pages.insert(node, cut);
            }
        }
        pages
    }

    fn of(&self, node: &Node) -> Vec<Place> {
        self.places.range(node.span()).filter(|place| node.takes(**place)).copied().collect()
    }
}

fn digits(place: Place, count: usize) -> String {
    place.id.simple().to_string().chars().take(count).collect()
}

#[cfg(test)]
mod tests;
