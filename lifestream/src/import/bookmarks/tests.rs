#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn items(html: &str) -> Vec<Item> {
    let mut items = Vec::new();
    read(html.as_bytes(), &mut |item| {
        items.push(item);
        true
    })
    .unwrap();
    items
}

fn links(html: &str) -> Vec<(u64, Link)> {
    let drafts = items(html).into_iter().filter_map(|item| match item {
        Item::Draft(Draft { line, event: Drafted::Link(link) }) => Some((line, link)),
        _ => None,
    });
    drafts.collect()
}

const FILE: &str = "\u{feff}<!DOCTYPE NETSCAPE-Bookmark-file-1>
<TITLE>Bookmarks</TITLE>
<H1>Bookmarks</H1>
<DL><p>
    <DT><H3 ADD_DATE=\"1\">Reading &amp; list</H3>
    <DL><p>
        <DT><A HREF=\"https://a.example/?x=1&amp;y=2\" ADD_DATE=\"1712936193\" TAGS=\"maps, history,Essays\">The <b>Map</b>
            &quot;Late&quot;</A>
        <DD>Why every map.
Second line.
        <DT><H3>Essays</H3>
        <DL><p>
            <DT><A HREF='http://b.example/'>B</A>
        </DL><p>
        <DT><A HREF=\"javascript:void(0)\">No link</A>
    </DL><p>
    <DT><A HREF=\"HTTP://c.example/\" ADD_DATE=\"0\"></A>
    <DT><A>nothing</A>
</DL><p>
";

#[test]
fn folders_become_tags_and_dates_are_kept() {
    let found = links(FILE);
    assert_eq!(
        found[0],
        (
            7,
            Link {
                url: "https://a.example/?x=1&y=2".into(),
                title: "The Map \"Late\"".into(),
                note: Some("Why every map.\nSecond line.".into()),
                tags: vec!["Reading & list".into(), "maps".into(), "history".into(), "Essays".into()],
                added_at: Some(1_712_936_193_000_000),
            }
        )
    );
    assert_eq!((found[1].0, found[1].1.tags.as_slice()), (13, &["Reading & list".to_owned(), "Essays".to_owned()][..]));
    assert_eq!((found[2].0, found[2].1.url.as_str(), found[2].1.added_at), (17, "HTTP://c.example/", None));
    assert!(found[2].1.tags.is_empty() && found[2].1.title.is_empty());
    assert_eq!(found.len(), 3);
}

#[test]
fn what_is_no_link_is_told_with_its_line() {
    let skipped: Vec<_> = items(FILE)
        .into_iter()
        .filter_map(|item| match item {
            Item::Skipped { line, reason } => Some((line, reason)),
            _ => None,
        })
        .collect();
    assert_eq!(
        skipped,
        [
            (15, "\"javascript:void(0)\" is no http or https link".to_owned()),
            (18, "\"\" is no http or https link".to_owned()),
        ]
    );
}

#[test]
fn windows_line_ends_change_nothing() {
    let windows = FILE.replace('\n', "\r\n");
    assert_eq!(links(FILE), links(&windows));
}

#[test]
fn broken_files_are_read_as_far_as_they_go() {
    let found = links("</DL></DL><DL><DL><H3>a<DT><A HREF=http://x.example/>t<DT><A HREF=http://y.example/>u");
    let urls: Vec<_> = found.iter().map(|(_, link)| (link.url.as_str(), link.title.as_str())).collect();
    assert_eq!(urls, [("http://x.example/", "t"), ("http://y.example/", "u")]);
    assert!(links(&"<DL>".repeat(100_000)).is_empty());
}

#[test]
fn dates_in_other_units() {
    for (text, expected) in [
        ("1712936193", Some(1_712_936_193_000_000)),
        ("1712936193123", Some(1_712_936_193_123_000)),
        ("1712936193123456", Some(1_712_936_193_123_456)),
        ("0", None),
        ("-1", None),
        ("soon", None),
        ("99999999999999999999", None),
        ("999999999999999999", None),
    ] {
        assert_eq!(micros(text), expected, "{text}");
    }
}

#[test]
fn a_line_without_end_is_refused() {
    let html = format!("<DL><A HREF=\"{}", "x".repeat(MOST_BYTES + 10));
    let error = read(html.as_bytes(), &mut |_| true).unwrap_err();
    assert!(error.to_string().contains("16 MiB"), "{error}");
}
