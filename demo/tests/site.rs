//! The site as a client sees it, over TCP: every bookmark has its page, and what goes wrong goes wrong as it is meant to.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lifestream_demo::{Library, Options, SITES, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }
}

/// Starts a server; it ends with the test.
async fn start(published: Option<PathBuf>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, Options { published, slow: Duration::from_millis(1) }));
    address
}

/// Asks as HTTP/1.0 clients do, so that the body ends where the connection does.
async fn get_with(server: SocketAddr, host: &str, path: &str, more: &str) -> Answer {
    let mut connection = TcpStream::connect(server).await.unwrap();
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}:{}\r\n{more}\r\n", server.port());
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("headers end");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).unwrap())
        .collect();
    Answer { status, headers, body: answer[end + 4..].to_vec() }
}

async fn get(server: SocketAddr, host: &str, path: &str) -> Answer {
    get_with(server, host, path, "").await
}

/// The URLs of demo/bookmarks.html.
fn bookmarks() -> Vec<Url> {
    let html = include_str!("../bookmarks.html");
    let attributes = html.split("HREF=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    attributes.map(|url| Url::parse(&url.replace("&amp;", "&")).unwrap()).collect()
}

/// Path and query, as a client sends them.
fn target(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

/// What does not answer with a page, by host and path.
const ELSE: &[(&str, &str, u16)] = &[
    ("missing", "/gone", 404),
    ("science", "/retracted-result", 410),
    ("flaky", "/second-knock", 500),
    ("broken", "/water-clock", 500),
    ("tools", "/go/printer", 302),
    ("wiki", "/Rain_barrel", 301),
];

#[tokio::test]
async fn every_bookmark_has_its_page() {
    let server = start(None).await;
    let mut met = BTreeSet::new();
    let urls = bookmarks();
    assert_eq!(urls.len(), 71);
    for url in &urls {
        assert_eq!(url.port(), Some(8808), "{url}");
        let host = url.host_str().unwrap();
        let site = host.strip_suffix(".demo.localhost").unwrap();
        let expected =
            ELSE.iter().find(|(on, at, _)| *on == site && *at == url.path()).map_or(200, |(_, _, status)| *status);
        // The second bookmark of a page is the same page.
        if !met.insert((site.to_owned(), target(url))) {
            continue;
        }
        let answer = get(server, host, &target(url)).await;
        assert_eq!(answer.status, expected, "{url}");
        if expected == 200 && url.path().ends_with(".pdf") {
            assert!(answer.body.starts_with(b"%PDF-1.4"));
            assert_eq!(answer.headers["content-type"], "application/pdf");
        } else if expected == 200 {
            let html = String::from_utf8_lossy(&answer.body);
            assert!(html.contains("<h1>"), "{url}: {}", &html[..500.min(html.len())]);
        }
    }
    for (site, path, _) in ELSE {
        assert!(met.contains(&((*site).to_owned(), (*path).to_owned())), "nobody has saved {site}{path}");
    }
}

#[tokio::test]
async fn bookmarks_are_titled_as_the_pages_are() {
    let library = Library::load().unwrap();
    let html = include_str!("../bookmarks.html");
    let mut same = 0;
    for line in html.lines().filter(|line| line.contains("<A HREF")) {
        let url = Url::parse(&line.split('"').nth(1).unwrap().replace("&amp;", "&")).unwrap();
        let title = line.split("\">").nth(1).unwrap().trim_end_matches("</A>");
        let title = title.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        let site = url.host_str().unwrap().split('.').next().unwrap();
        same += usize::from(library.find(site, &target(&url)).is_some_and(|page| page.title == title));
    }
    assert!(same >= 58, "{same} titles agree");
}

#[test]
fn a_dozen_articles_are_worth_reading_and_the_other_pages_are_short() {
    let library = Library::load().unwrap();
    let (articles, short): (Vec<_>, Vec<_>) = library.pages().partition(|page| page.summary.is_some());
    assert_eq!(articles.len(), 12);
    for page in &articles {
        assert!(page.words() >= 600, "{}: {} words", page.title, page.words());
    }
    for page in &short {
        assert!((80..=220).contains(&page.words()), "{}: {} words", page.title, page.words());
    }
    assert!(short.len() >= 45, "{}", short.len());
    let languages: BTreeSet<&str> = library.pages().map(|page| page.lang.as_str()).collect();
    assert_eq!(languages, BTreeSet::from(["de", "en", "es"]));
}

#[test]
fn links_between_the_sites_lead_somewhere() {
    let library = Library::load().unwrap();
    for page in library.pages() {
        for link in page.body.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let (site, path) = match link.strip_prefix("site:") {
                Some(place) => place.split_once('/').map(|(site, path)| (site.to_owned(), format!("/{path}"))).unwrap(),
                None => (page.site.clone(), link.to_owned()),
            };
            let redirects = (site.as_str(), path.as_str()) == ("wiki", "/Rain_barrel");
            assert!(redirects || library.find(&site, &path).is_some(), "{}: {link}", page.title);
        }
    }
}

#[tokio::test]
async fn an_article_looks_like_one() {
    let server = start(None).await;
    let answer = get(server, "essays.demo.localhost", "/on-keeping-a-commonplace-book").await;
    assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
    let html = answer.text();
    let own = format!("http://essays.demo.localhost:{}/on-keeping-a-commonplace-book", server.port());
    for part in [
        "<html lang=\"en\">",
        "<meta property=\"article:published_time\" content=\"2024-01-14T08:00:00Z\">",
        "<nav",
        "<header",
        "<article>",
        "<aside>",
        "<footer>",
        "Nobody has ever gone back to index a volume.",
        &format!("<link rel=\"canonical\" href=\"{own}\">"),
    ] {
        assert!(html.contains(part), "{part}");
    }
    let known = format!("If-None-Match: {}\r\n", answer.headers["etag"]);
    let again = get_with(server, "essays.demo.localhost", "/on-keeping-a-commonplace-book", &known).await;
    assert_eq!((again.status, again.body.len()), (304, 0));

    let picture = get(server, "essays.demo.localhost", "/art/on-keeping-a-commonplace-book.svg").await;
    assert_eq!(picture.headers["content-type"], "image/svg+xml");
    assert!(picture.text().starts_with("<svg") && picture.text().ends_with("</svg>"));
    // A newsletter's parameters do not hide a page, and a page with a query of its own is found by it.
    for (path, title) in [
        ("/logs/exactly-once?utm_source=weekly&utm_medium=mail", "<h1>“Exactly Once”, Said Three Ways</h1>"),
        ("/rust/errors", "<h1>Errors Are Values: &#60;Result&#62; All the Way Down</h1>"),
    ] {
        let html = get(server, "code.demo.localhost", path).await.text();
        assert!(html.contains(title), "{path}: {html}");
    }
    let second = get(server, "science.demo.localhost", "/bread?part=2").await.text();
    assert!(second.contains("Part 2</h1>"), "{second}");
}

#[tokio::test]
async fn latin_1_is_declared_in_the_page_alone() {
    let server = start(None).await;
    let answer = get(server, "museum.demo.localhost", "/caf%C3%A9-posters").await;
    assert_eq!(answer.headers["content-type"], "text/html");
    assert!(std::str::from_utf8(&answer.body).is_err(), "it would be UTF-8 too");
    let (html, _, replaced) = encoding_rs::WINDOWS_1252.decode(&answer.body);
    assert!(!replaced);
    assert!(html.contains("<meta charset=\"iso-8859-1\">"));
    assert!(html.contains("<h1>Café Posters, 1890&#8211;1910</h1>"), "{html}");
    assert!(html.contains("Théophile"));
    assert!(answer.body.windows(6).any(|bytes| bytes == b"Caf\xe9s,"));
}

#[tokio::test]
async fn a_page_heals_at_the_second_try_and_another_never() {
    let server = start(None).await;
    for expected in [500, 200, 200] {
        assert_eq!(get(server, "flaky.demo.localhost", "/second-knock").await.status, expected);
    }
    for _ in 0..4 {
        assert_eq!(get(server, "broken.demo.localhost", "/water-clock").await.status, 500);
    }
    // Another process has not heard the first knock.
    let other = start(None).await;
    assert_eq!(get(other, "flaky.demo.localhost", "/second-knock").await.status, 500);
}

#[tokio::test]
async fn redirects_lead_on_and_one_leads_to_a_forbidden_address() {
    let server = start(None).await;
    let moved = get(server, "wiki.demo.localhost", "/Rain_barrel").await;
    assert_eq!((moved.status, moved.headers["location"].as_str()), (301, "/Rainwater_harvesting"));
    assert_eq!(get(server, "wiki.demo.localhost", "/Rainwater_harvesting").await.status, 200);
    // It would be answered there: whoever gets that answer has followed.
    let forbidden = get(server, "tools.demo.localhost", "/go/printer").await;
    assert_eq!(forbidden.status, 302);
    assert_eq!(forbidden.headers["location"], format!("http://127.0.0.1:{}/", server.port()));
}

#[tokio::test]
async fn the_huge_page_does_not_say_how_long_it_is() {
    let server = start(None).await;
    let answer = get(server, "museum.demo.localhost", "/collection/everything").await;
    assert_eq!(answer.headers.get("content-length"), None);
    assert!(answer.body.len() > 32 << 20, "{} bytes", answer.body.len());
}

#[tokio::test]
async fn robots_are_kept_out_of_one_folder_and_of_nothing_else() {
    let server = start(None).await;
    for site in SITES {
        let answer = get(server, &format!("{}.demo.localhost", site.label), "/robots.txt").await;
        assert_eq!(answer.status, 200, "{}", site.label);
        let expected = if site.label == "pictures" { "Disallow: /private/\n" } else { "Disallow:\n" };
        assert!(answer.text().ends_with(expected), "{}: {}", site.label, answer.text());
    }
    assert!(!get(server, "pictures.demo.localhost", "/").await.text().contains("/private/"));
    assert!(!get(server, "demo.localhost", "/").await.text().contains("/private/"));
}

#[tokio::test]
async fn other_hosts_and_other_paths_are_not_found() {
    let server = start(None).await;
    for (host, path) in [("nobody.demo.localhost", "/"), ("essays.demo.localhost", "/nothing"), ("example.org", "/")] {
        assert_eq!(get(server, host, path).await.status, 404, "{host}{path}");
    }
    for host in ["demo.localhost", "ESSAYS.demo.localhost", "news.demo.localhost", "missing.demo.localhost"] {
        assert_eq!(get(server, host, "/").await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn what_is_published_is_shown_by_name_and_by_address() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(Some(folder.path().to_owned())).await;
    let early = get(server, "127.0.0.1", "/").await;
    assert_eq!(early.status, 404);
    assert!(early.text().contains("Nothing is published yet"));

    std::fs::write(folder.path().join("index.html"), "<h1>Life stream</h1>").unwrap();
    std::fs::create_dir(folder.path().join("tags")).unwrap();
    std::fs::write(folder.path().join("tags/index.html"), "all tags").unwrap();
    std::fs::write(folder.path().join("feed.json"), "{}").unwrap();
    std::fs::write(folder.path().with_extension("secret"), "beside it").unwrap();
    std::fs::write(folder.path().join(".journal"), "the publisher's own").unwrap();
    for host in ["127.0.0.1", "localhost", "feed.demo.localhost"] {
        assert_eq!(get(server, host, "/").await.text(), "<h1>Life stream</h1>", "{host}");
    }
    assert_eq!(get(server, "localhost", "/tags/").await.text(), "all tags");
    assert_eq!(get(server, "localhost", "/feed.json").await.headers["content-type"], "application/json");
    let name = folder.path().with_extension("secret").file_name().unwrap().to_str().unwrap().to_owned();
    for path in [
        format!("/../{name}"),
        format!("/..%2f{name}"),
        format!("/tags/../../{name}"),
        "/.journal".to_owned(),
        "/%2ejournal".to_owned(),
    ] {
        assert_ne!(get(server, "localhost", &path).await.status, 200, "{path}");
    }
    std::fs::remove_file(folder.path().with_extension("secret")).unwrap();
}
