#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

const DAY: i64 = 86_400_000_000;

fn place(n: i64, at: i64) -> Place {
    Place { at, seq: n, id: Uuid::new_v5(&Uuid::nil(), n.to_string().as_bytes()) }
}

fn all_months(list: &Listing) -> BTreeSet<Date> {
    list.months().into_iter().map(|(month, _)| month).collect()
}

/// Every link is on exactly one page that shows links, and no page is too long.
fn check(list: &Listing) {
    let pages = list.pages(&all_months(list));
    let mut seen = BTreeSet::new();
    for (node, cut) in &pages {
        match list.content(node) {
            Content::Links(places) => {
                assert!(!cut && places.len() <= ROOM, "{node:?}");
                assert!(places.iter().all(|place| seen.insert(*place)), "{node:?}");
            }
            Content::Pages(parts) => {
                assert!(*cut && parts.len() <= 31, "{node:?}");
                for (part, count) in parts {
                    assert!(pages.contains_key(&part) && count > 0, "{part:?}");
                    assert_eq!(part.parent().as_ref(), Some(node));
                }
            }
        }
    }
    assert_eq!(seen.len(), list.len());
}

#[test]
fn pages_stay_short_also_when_all_links_came_in_one_moment() {
    let mut list = Listing::default();
    for n in 0..5000 {
        list.insert(place(n, 1000 * DAY));
    }
    check(&list);
    for n in 5000..6000 {
        list.insert(place(n, 2000 * DAY + n * DAY / 7));
    }
    check(&list);
    assert_eq!(list.newest(2), [place(5999, 2857 * DAY), place(5998, 2000 * DAY + 5998 * DAY / 7)]);
    assert_eq!(list.months().iter().map(|(_, count)| count).sum::<usize>(), 6000);
}

#[test]
fn one_link_more_changes_few_pages() {
    let mut list = Listing::default();
    for n in 0..10_000 {
        list.insert(place(n, 1000 * DAY + n * DAY / 400));
    }
    let contents = |list: &Listing| -> BTreeMap<Node, Content> {
        list.pages(&all_months(list)).into_keys().map(|node| (node.clone(), list.content(&node))).collect()
    };
    let before = contents(&list);
    list.insert(place(10_001, 1003 * DAY));
    let after = contents(&list);
    let changed = after.iter().filter(|(node, content)| before.get(node) != Some(content)).count();
    assert!((2..=20).contains(&changed), "{changed} of {}", after.len());
    check(&list);
}

#[test]
fn a_month_that_loses_links_is_one_page_again() {
    let mut list = Listing::default();
    for n in 0..=100 {
        list.insert(place(n, 1000 * DAY + n));
    }
    assert!(list.pages(&all_months(&list)).len() > 2);
    list.remove(&place(7, 1000 * DAY + 7));
    let pages = list.pages(&all_months(&list));
    assert_eq!(pages.into_iter().collect::<Vec<_>>(), [(Node::Month(Node::month(place(1, 1000 * DAY))), false)]);
}

#[test]
fn names_are_dates_and_times_far_away_are_no_trouble() {
    let far = [("1000-01-01", -30_610_224_000_000_000), ("9999-12-31", 253_402_214_400_000_000)];
    for (name, at) in far {
        let place = place(1, at);
        assert_eq!(Node::Day(day::of(at)).name(), name);
        let mut list = Listing::default();
        list.insert(place);
        check(&list);
    }
    let node = Node::Part(day::of(0), "a7".into());
    assert_eq!((node.name().as_str(), node.title().as_str()), ("1970-01-01-a7", "1 January 1970, part a7"));
}
