//! Texts and addresses of people who mean harm: they stay text, on every page and in every feed.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::bench::{Bench, Link};
use crate::browser::dump;
use crate::feeds;
use crate::tree::files;

/// What is put into title, summary, byline, site, topic and a tag of a link each.
fn texts() -> Vec<(&'static str, String)> {
    let plain = [
        ("script", "<script>document.title='owned'</script>"),
        ("closed_tags", "</title></style></textarea></script><script>document.title='owned'</script>"),
        ("image", "<img src=x onerror=\"document.title='owned'\">"),
        ("svg", "<svg/onload=document.title='owned'>"),
        ("frame", "<iframe srcdoc='<script>parent.document.title=1</script>'></iframe>"),
        ("attribute", "\" onmouseover=\"document.title='owned'\" x=\""),
        ("apostrophe", "' autofocus onfocus='document.title=1"),
        ("cdata", "]]> <![CDATA[ <b>bold</b> ]]>"),
        ("comment", "--> <!-- <b> -->"),
        ("doctype", "<!DOCTYPE feed [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>&x;"),
        ("entities", "&lt;script&gt; &amp;amp; &#60;script&#62; &nbsp;"),
        ("template", "{{ 7*7 }} {% include \"/etc/passwd\" %} ${7*7}"),
        ("bidi", "\u{202e}txet desrever\u{202c} \u{2066}isolated\u{2069}"),
        ("controls", "bell\u{7} escape\u{1b}[2J delete\u{7f} c1\u{9b}31m"),
        ("noncharacters", "\u{fffe}\u{ffff}\u{fdd0}\u{1fffe} feff\u{feff}"),
        ("separators", "line\u{2028}paragraph\u{2029}end"),
        ("emoji", "👩‍👩‍👧‍👦 🇩🇪 🏴‍☠️ 🦀"),
        ("right_to_left", "שלום עולם مرحبا بالعالم"),
        ("traversal", "../../../../tmp/owned"),
        ("absolute", "/tmp/owned"),
        ("windows", "C:\\owned\\con.txt"),
        ("dots", ".."),
        ("blank", "   \t\n  "),
        ("markdown", "[click](javascript:alert(1)) ![x](https://evil.example/x.png)"),
        ("replacement", "lone \u{fffd} surrogate"),
        ("formula", "=HYPERLINK(\"https://evil.example\")"),
    ];
    let mut all: Vec<(&str, String)> = plain.into_iter().map(|(name, text)| (name, text.to_owned())).collect();
    all.push(("long_word", "x".repeat(10_000)));
    all.push(("zalgo", format!("Z{}", "\u{301}\u{302}\u{303}".repeat(500))));
    all.push(("many_lines", "line\n".repeat(5_000)));
    all
}

const ADDRESSES: [(&str, &str); 10] = [
    ("javascript", "javascript:document.title='owned'"),
    ("javascript_host", "javascript://example.org/%0adocument.title='owned'"),
    ("data", "data:text/html,<script>document.title='owned'</script>"),
    ("file", "file:///etc/passwd"),
    ("quotes", "https://example.org/\"onmouseover=\"document.title='owned'"),
    ("tags", "https://example.org/<script>document.title='owned'</script>"),
    ("password", "https://user:t0ps3cret@example.org/"),
    ("bidi_address", "https://example.org/\u{202e}gpj.exe"),
    ("homograph", "https://еxample.org/"),
    ("no_address", "\u{1b}]0;owned\u{7}"),
];

async fn publish_all(bench: &Bench) -> usize {
    let publisher = bench.publisher();
    let mut works = Vec::new();
    for (name, text) in &texts() {
        let (url, text) = (format!("https://example.org/{name}"), text.as_str());
        let metadata =
            json!({"site_name": text, "byline": text, "language": text, "published_at": text, "title": text});
        works.push(
            bench
                .link(&Link {
                    tags: vec![text],
                    found: vec![text, name],
                    summary: text,
                    metadata,
                    ..Link::new(&url, text)
                })
                .await,
        );
    }
    for (name, url) in ADDRESSES {
        works.push(bench.link(&Link { found: vec![name], title: None, ..Link::new(url, "") }).await);
    }
    for (subject, event) in &works {
        let fact = bench.publish(&publisher, subject, *event).await;
        assert_eq!(fact.unwrap().event_type, "publish.completed", "{subject:.60}");
    }
    works.len()
}

/// The names of all attributes in a document that a browser wrote down: it quotes every value.
fn attributes(document: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for tag in document.split('<').skip(1).filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic())) {
        // Outside of quotes, up to the end of the tag.
        for (n, part) in tag.split('"').enumerate().filter(|(n, _)| n % 2 == 0) {
            let names_here = part.split('>').next().unwrap_or_default();
            names.extend(
                names_here
                    .split_whitespace()
                    .skip(usize::from(n == 0))
                    .map(|name| name.trim_end_matches('=').to_owned()),
            );
            if part.contains('>') {
                break;
            }
        }
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_stay_text_everywhere() {
    let bench = Bench::new("pub_hostile");
    let count = publish_all(&bench).await;
    let files = files(bench.folder.path());
    let roots: BTreeSet<&str> = files.keys().map(|path| path.split('/').next().unwrap()).collect();
    let expected = ["archive", "feed.atom", "feed.json", "icon.svg", "index.html", "links", "style.css", "tags"];
    assert_eq!(roots.into_iter().collect::<Vec<_>>(), expected);
    assert!(!Path::new("/tmp/owned").exists());
    let links = files.keys().filter(|path| path.starts_with("links/")).count();
    assert_eq!(links, count);

    let mut pages = 0;
    for (path, bytes) in files.iter().filter(|(path, _)| path.ends_with(".html")) {
        let page = String::from_utf8(bytes.clone()).unwrap();
        pages += 1;
        for word in [
            "<script",
            "<iframe",
            "<svg",
            "<b>",
            "<!--",
            "javascript:document.title='",
            "=\"javascript:",
            "href=\"data:",
            "href=\"file:",
            "t0ps3cret",
            "\u{202e}",
            "\u{2066}",
        ] {
            assert!(!page.contains(word), "{path}: {word}");
        }
        assert_eq!(page.matches("<img").count(), 1, "{path}: only our icon");
        assert_eq!(
            page.matches("Content-Security-Policy\" content=\"default-src &#39;none&#39;").count()
                + page.matches("content=\"default-src 'none'").count(),
            1,
            "{path}"
        );
        assert!(page.chars().all(|c| c == '\n' || !c.is_control()), "{path}");
        assert!(page.len() < 400_000, "{path}: {} bytes", page.len());
    }
    println!("{count} hostile links, {pages} pages and two feeds: all of it text");

    let (atom, json) = (feeds::atom(&bench.read("feed.atom")), feeds::json(&bench.read("feed.json")));
    assert_eq!((atom.entries.len(), json.entries.len()), (count, count));
    for entry in atom.entries.iter().chain(&json.entries) {
        let title = &entry.title.as_ref().unwrap().content;
        assert!(!title.is_empty() && title.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{title:?}");
        for link in &entry.links {
            assert!(link.href.starts_with("http") && !link.href.contains("t0ps3cret"), "{}", link.href);
        }
    }
    assert!(!bench.read("feed.json").contains("t0ps3cret") && !bench.read("feed.atom").contains("t0ps3cret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_runs_none_of_it() {
    let bench = Bench::new("pub_browser").without("LIFESTREAM_FEED_URL");
    publish_all(&bench).await;
    let tag = std::fs::read_dir(bench.path("tags")).unwrap().map(|entry| entry.unwrap().path());
    let tag = tag.filter(|path| path.join("index.html").exists()).max().unwrap().join("index.html");
    let link = std::fs::read_dir(bench.path("links")).unwrap().next().unwrap().unwrap().path();
    let archive = std::fs::read_dir(bench.path("archive")).unwrap().map(|entry| entry.unwrap().path()).min().unwrap();
    for page in [bench.path("index.html"), bench.path("tags/index.html"), tag, link, archive] {
        let (document, console) = dump(&page);
        let title = document.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap();
        assert!(title.ends_with("Life stream"), "{}: {title}", page.display());
        for word in ["<script", "<iframe", "<svg", "<b>"] {
            assert!(!document.contains(word), "{}: {word}", page.display());
        }
        let attributes = attributes(&document);
        assert!(
            attributes.contains("href") && !attributes.iter().any(|name| name.starts_with("on") || name == "autofocus"),
            "{attributes:?}"
        );
        assert_eq!(document.matches("<img").count(), 1, "{}", page.display());
        // The policy keeps nothing of ours away: stylesheet and icon are loaded.
        assert_eq!(console, "", "{}", page.display());
    }
    let (home, _) = dump(&bench.path("index.html"));
    assert!(home.contains("&lt;script&gt;document.title='owned'&lt;/script&gt;"), "it is there, as text");
}
