#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::publisher::entry::page_id;

const DAY: i64 = 86_400_000_000;

fn link(n: usize, at: i64, tags: &[&str]) -> Known {
    let subject = format!("link:{n}");
    let mut tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
    tags.sort();
    Known {
        place: Place { at, seq: i64::try_from(n).unwrap(), id: page_id("", &subject) },
        tenant: String::new(),
        digest: format!("{at}{tags:?}"),
        subject,
        tags,
    }
}

fn put(link: Known) -> Change {
    Change { subject: link.subject.clone(), link: Some(link) }
}

fn whole(index: &Index) -> BTreeSet<(Page, String)> {
    Plan::whole(index).write
}

#[test]
fn one_link_among_ten_thousand_touches_a_few_files() {
    let mut index = Index::default();
    let tags = ["rust", "postgres", "kafka", "linux", "gardening", "music", "maps"];
    let pick = |n: usize| [tags[n % 7], tags[n % 5], tags[n % 3]];
    let many =
        (0..10_000).map(|n| put(link(n, 20_000 * DAY + i64::try_from(n).unwrap() * DAY / 300, &pick(n)))).collect();
    let all = Plan::apply(&mut index, many);
    assert!(all.write.len() > 10_000);
    for (at, what) in [(20_033, "today"), (20_010, "in the past"), (19_000, "long ago")] {
        let one =
            Plan::apply(&mut index, vec![put(link(10_000, at * DAY, &["rust", "kafka", "music", "new", "linux"]))]);
        println!("one link {what}: {} files written, {} taken away", one.write.len(), one.remove.len());
        assert!((10..=60).contains(&one.write.len()), "{what}: {:?}", one.write);
    }
}

#[test]
fn a_tag_without_links_and_its_pages_vanish() {
    let mut index = Index::default();
    let changes =
        (0..=50).map(|n| put(link(n, 20_000 * DAY + i64::try_from(n).unwrap() * 20 * DAY, &["old"]))).collect();
    Plan::apply(&mut index, changes);
    assert!(whole(&index).iter().any(|(page, _)| matches!(page, Page::TagPast(..))));
    let gone = Plan::apply(&mut index, vec![Change { subject: "link:3".into(), link: None }]);
    let months = gone.remove.iter().filter(|(page, _)| matches!(page, Page::TagPast(..))).count();
    assert!(months > 30, "fifty links need no past: {:?}", gone.remove);
    let changes = (0..=50).map(|n| Change { subject: format!("link:{n}"), link: None }).collect();
    let gone = Plan::apply(&mut index, changes);
    assert!(gone.remove.contains(&(Page::Tag("old".into()), String::new())));
    assert_eq!(whole(&index).len(), Page::always().len());
}

fn step() -> impl Strategy<Value = Vec<Change>> {
    let tags = prop::collection::btree_set(prop::sample::select(vec!["a", "b", "c"]), 0..3);
    let change = (0..160_usize, 0..3_i64, any::<bool>(), tags).prop_map(|(n, month, stays, tags)| Change {
        subject: format!("link:{n}"),
        link: (stays || n % 2 == 0).then(|| link(n, month * 31 * DAY, &tags.into_iter().collect::<Vec<_>>())),
    });
    prop::collection::btree_map(0..160_usize, change, 1..140).prop_map(|changes| {
        let mut seen = BTreeSet::new();
        changes.into_values().filter(|change| seen.insert(change.subject.clone())).collect()
    })
}

proptest! {
    /// What is on disk after any changes is what a fresh start would write: no file too many, none missing, and every
    /// page whose content changed was written.
    #[test]
    fn the_files_are_those_of_a_fresh_start(steps in prop::collection::vec(step(), 1..6)) {
        let mut index = Index::default();
        index.open_site("");
        let mut files = whole(&index);
        for changes in steps {
            let before = index.clone();
            let plan = Plan::apply(&mut index, changes);
            files.extend(plan.write.iter().cloned());
            for page in &plan.remove {
                files.remove(page);
            }
            prop_assert_eq!(&files, &whole(&index));
            for (page, tenant) in files.iter().filter(|page| !plan.write.contains(page)) {
                let (before, after) = (before.site(tenant).unwrap(), index.site(tenant).unwrap());
                match page {
                    Page::Past(node) => prop_assert_eq!(before.all.content(node), after.all.content(node)),
                    Page::Tag(tag) => prop_assert_eq!(before.tags[tag].newest(50), after.tags[tag].newest(50)),
                    Page::TagPast(tag, node) => prop_assert_eq!(before.tags[tag].content(node), after.tags[tag].content(node)),
                    _ => {}
                }
            }
        }
    }
}
