//! What a hostile page or server can do: each ends in bounded time and memory, with a result that has a name.

use axum::body::{Body as Sent, Bytes};
use futures_util::stream;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::server::{answer, by_hand, missing, page, serve};
use super::*;

const HTML: (&str, &str) = ("content-type", "text/html; charset=utf-8");
/// No case may make the process grow by more: two pages at a time, each read from 8 MB at most.
const MOST_MEMORY: u64 = 600 << 20;

/// A body without end, in pieces as they are asked for.
fn endless(beginning: Vec<u8>, repeated: Vec<u8>) -> Sent {
    let pieces = std::iter::once(Bytes::from(beginning)).chain(std::iter::repeat(Bytes::from(repeated)));
    Sent::from_stream(stream::iter(pieces.map(Ok::<_, io::Error>)))
}

/// Deflate data that says "258 times the same again" without end, 13 bits each time; and what repeats in it.
fn deflate_bomb() -> (Vec<u8>, Vec<u8>) {
    let mut bits: Vec<bool> = vec![false, true, false];
    let mut code = |code: u32, length: u32| bits.extend((0..length).rev().map(|at| code >> at & 1 == 1));
    code(0x30 + u32::from(b'x'), 8);
    for _ in 0..32 {
        code(0b1100_0101, 8);
        code(0, 5);
    }
    let byte = |bits: &[bool]| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << at);
    let bytes: Vec<u8> = bits.chunks_exact(8).map(byte).collect();
    // Eight codes of 13 bits are 13 bytes; from the second on, every 13 bytes are the same.
    (bytes[..13].to_vec(), bytes[13..26].repeat(5000))
}

/// Markup that is hard on parsers: name, page, what comes of it.
fn pages() -> Vec<(&'static str, String, &'static str)> {
    let many = |unit: &str, times: usize| unit.repeat(times);
    let numbered = |unit: fn(usize) -> String, times: usize| (0..times).map(unit).collect::<String>();
    let paragraph =
        "<p>The harbour lay quiet, and nobody counted the lanterns on the boats any more, for all were home.</p>";
    vec![
        ("nesting of 100,000", many("<div>", 100_000) + "deep" + &many("</div>", 100_000), "text: \"deep\""),
        ("nesting of a million, unclosed", many("<i>", 1_000_000) + "deep", "text: \"deep\""),
        ("nested tables", many("<table><tr><td>", 100_000) + "cell", "text: \"cell\""),
        ("nested lists", many("<ul><li>", 200_000) + "item", "text: \"item\""),
        ("nested quotes with text", many("<blockquote>words ", 60_000), "text: \"words"),
        ("nested svg", many("<svg><g>", 200_000) + "<p>after", "text: \"after\""),
        ("nested select", many("<select><option>x", 200_000) + "<p>after", "text: \"after\""),
        ("nested buttons and forms", many("<form><button>x", 100_000), "text: \"x"),
        ("misnested formatting", many("<p><b><i><u></b></i>x", 100_000), "text: \"x"),
        (
            "formatting opened anew in each paragraph",
            "<p>".to_owned() + &numbered(|n| format!("<font size={n}>"), 5000) + &many("<p>x", 100_000),
            "text: \"x",
        ),
        ("links in links", numbered(|n| format!("<a href={n}><p>x"), 200_000), "text: \"x"),
        ("a million attributes", format!("<p {}>x", numbered(|n| format!("a{n} "), 1_000_000)), "text: \"x\""),
        ("one attribute a million times", format!("<p {}>x", many("class=a ", 1_000_000)), "text: \"x\""),
        ("an attribute of 7 MB", format!("<p title=\"{}\">x", many("a", 7 << 20)), "text: \"x\""),
        ("a tag's name of 7 MB", format!("<p>before<{}>x", many("a", 7 << 20)), "text: \"before"),
        ("a million tags", many("<br>", 1_000_000) + "x", "text: \"x\""),
        ("a million paragraphs", many("<p>x", 1_000_000), "text: \"x"),
        ("a million end tags", "<div>".to_owned() + &many("</p>", 1_000_000) + "x", "text: \"x\""),
        ("many spans in one paragraph", "<p>".to_owned() + &many("<span>x</span>", 500_000), "text: \"x"),
        ("many classes", numbered(|n| format!("<div class=c{n} id=i{n}>x</div>"), 150_000), "text: \"x"),
        ("many links", numbered(|n| format!("<a href=/{n}>link</a> "), 250_000), "text: \"link"),
        ("deep with text at each step", many("<div>", 190) + &many(paragraph, 40_000), "text: \"The harbour"),
        ("wide and deep", (many("<div>", 150) + paragraph + &many("</div>", 150)).repeat(400), "text: \"The harbour"),
        ("breaks between words", many("word<br><br>", 300_000), "text: \"word"),
        ("entities", many("&amp;&notin;&#x1F600;&#65;", 300_000), "text: \"&∉"),
        ("unknown entities", many("&unknown;&", 600_000), "text: \"&unknown;"),
        ("a reference to nothing, long", format!("<p>x&#{};", many("9", 7 << 20)), "text: \"x"),
        (
            "declared entities",
            format!("<!DOCTYPE a [{}]><p>&a99;", numbered(|n| format!("<!ENTITY a{n} \"&a{};&a{0};\">", n), 99)),
            "text: ",
        ),
        ("an unclosed comment", "<p>before<!-- ".to_owned() + &many("- ", 3 << 20), "text: \"before\""),
        ("an unclosed script", "<p>before<script>".to_owned() + &many("<!--<script>", 500_000), "text: \"before\""),
        ("an unclosed title", "<p>before<title>".to_owned() + &many("x", 7 << 20), "text: \"before\""),
        ("a title of 7 MB", format!("<title>{}</title><p>x", many("t", 7 << 20)), "text: \"x\""),
        ("many titles", many("<title>t</title>", 500_000) + "<p>x", "text: \"x\""),
        ("an unclosed text area", "<p>before<textarea>".to_owned() + &many("<p>", 1 << 20), "text: \"before\""),
        ("plaintext", "<p>before<plaintext>".to_owned() + &many("<p>", 1 << 20), "text: \"before"),
        ("half a tag", "<p>before<div class=\"".to_owned() + &many("x", 7 << 20), "text: \"before\""),
        ("angle brackets", many("<", 7 << 20), "text: \"<"),
        ("one word of 7 MB", many("x", 7 << 20), "text: \"x"),
        ("blanks", "x".to_owned() + &many(" \n", 3 << 20) + "y", "text: \"x"),
        ("combining marks", "x".to_owned() + &many("\u{301}", 3 << 20), "text: \"x"),
        ("right to left, turned and turned", many("\u{202e}x\u{202c}", 900_000), "text: "),
        ("a million meta tags", many("<meta name=a content=b>", 300_000) + "x", "text: \"x\""),
        (
            "nested JSON-LD",
            format!("<script type=application/ld+json>{}</script><p>x", many("[", 200_000)),
            "text: \"x\"",
        ),
        (
            "JSON-LD without end",
            "<p>x<script type=application/ld+json>".to_owned() + &many("{\"a\":", 1 << 20),
            "text: \"x\"",
        ),
        (
            "many JSON-LD",
            many("<script type=application/ld+json>{\"@type\":\"Article\"}</script>", 100_000) + "<p>x",
            "text: \"x\"",
        ),
        ("frames", "<frameset>".to_owned() + &many("<frame>", 1 << 20) + "<p>x", "text: \"x\""),
        ("templates", many("<template>", 500_000) + "<p>x", "text: \"none\""),
        ("zeros", many("\0", 7 << 20), "fact: what came as text/html is not text"),
        ("zeros between letters", many("ab\0cd ef gh ij kl mn op qr ", 250_000), "text: \"abcd ef gh"),
    ]
}

#[tokio::test]
async fn hostile_pages_end_in_a_named_result() {
    let pages = Arc::new(pages());
    let served = Arc::clone(&pages);
    let port = serve(move |path, _| match path.trim_start_matches('/').parse::<usize>() {
        Ok(at) => answer(200, &[HTML], served[at].1.clone()),
        Err(_) => missing(),
    })
    .await;
    let sizes = Limits { body: Limits::default().body, text: Limits::default().text, ..limits() };
    let fetcher = fetcher_with(&[format!("site.test:{port}")], Box::new(Names::default()), sizes);
    for (at, (name, _, expected)) in pages.iter().enumerate() {
        let before = forget_peak();
        let started = std::time::Instant::now();
        let told = told(&fetcher.fetch(&format!("http://site.test:{port}/{at}"), None, &Others::default()).await);
        let grown = peak().saturating_sub(before);
        println!("{name:45} {:>6} ms {:>4} MB  {told}", started.elapsed().as_millis(), grown >> 20);
        assert!(told.starts_with(expected), "{name}: {told}");
        assert!(grown < MOST_MEMORY, "{name}: {grown} bytes");
    }
}

type Headers = Vec<(&'static str, &'static str)>;

/// Bodies and packings: name, headers, the body, what comes of it.
fn bodies() -> Vec<(&'static str, Headers, Sent, &'static str)> {
    let (start, repeated) = deflate_bomb();
    let after = |head: &[u8]| [head, &start].concat();
    let noise: Vec<u8> = (0..1u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
    vec![
        (
            "gzip bomb",
            vec![HTML, ("content-encoding", "gzip")],
            endless(after(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]), repeated.clone()),
            "fact: larger than",
        ),
        (
            "deflate bomb",
            vec![HTML, ("content-encoding", "deflate")],
            endless(after(&[0x78, 0x9c]), repeated.clone()),
            "fact: larger than",
        ),
        ("brotli bomb", vec![HTML, ("content-encoding", "br")], Sent::from(BROTLI.to_vec()), "fact: larger than"),
        (
            "bomb in a bomb",
            vec![HTML, ("content-encoding", "gzip, gzip")],
            endless(start.clone(), repeated.clone()),
            "fact: content encoding",
        ),
        (
            "packed in a way nobody knows",
            vec![HTML, ("content-encoding", "x")],
            Sent::from("x"),
            "fact: content encoding \"x\"",
        ),
        ("gzip that is none", vec![HTML, ("content-encoding", "gzip")], Sent::from("<p>x"), "passing: "),
        (
            "gzip with an endless name",
            vec![HTML, ("content-encoding", "gzip")],
            endless(vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 255], vec![b'n'; 4096]),
            "passing: ",
        ),
        ("body without end", vec![HTML], endless(Vec::new(), vec![b'x'; 4096]), "fact: larger than"),
        ("no type and no end", vec![], endless(Vec::new(), vec![0; 4096]), "fact: larger than"),
        ("noise", vec![HTML], Sent::from(noise.clone()), "fact: what came as text/html is not text"),
        ("noise of no type", vec![], Sent::from(noise), "fact: what came as text/plain is not text"),
        (
            "a charset nobody knows",
            vec![("content-type", "text/html; charset=x-hostile")],
            Sent::from("<p>x"),
            "text: \"x\"",
        ),
        (
            "a charset that is refused",
            vec![("content-type", "text/html; charset=hz-gb-2312")],
            Sent::from("x"),
            "fact: the page's charset",
        ),
        (
            "half of UTF-16",
            vec![("content-type", "text/html; charset=utf-16le")],
            Sent::from(&b"<\0p\0>\0x\0y"[..]),
            "text: \"x\u{fffd}\"",
        ),
        ("a type of 4 kB", vec![("content-type", LONG_TYPE)], Sent::from("x"), "fact: content type xxxx"),
        ("many BOMs", vec![HTML], Sent::from("\u{feff}".repeat(100_000) + "x"), "text: \"x\""),
    ]
}

const LONG_TYPE: &str = {
    const BYTES: [u8; 4096] = {
        let mut bytes = [b'x'; 4096];
        bytes[2000] = b'/';
        bytes
    };
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => "",
    }
};

#[tokio::test]
async fn hostile_bodies_end_in_a_named_result() {
    for (name, headers, body, expected) in bodies() {
        let body = Mutex::new(Some(body));
        let body = Arc::new(body);
        let port = serve(move |path, _| match path {
            "/robots.txt" => missing(),
            _ => answer(200, &headers, body.lock().unwrap().take().unwrap()),
        })
        .await;
        let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
        let before = forget_peak();
        let told = told(&fetcher.fetch(&format!("http://site.test:{port}/"), None, &Others::default()).await);
        let grown = peak().saturating_sub(before);
        println!("{name:45} {:>4} MB  {told}", grown >> 20);
        assert!(told.starts_with(expected), "{name}: {told}");
        assert!(grown < MOST_MEMORY, "{name}: {grown} bytes");
    }
}

/// What a server does after the request: name, what comes of it.
const SERVERS: [(&str, &str); 9] = [
    ("slow head", "passing: "),
    ("slow body", "passing: "),
    ("head without end", "passing: "),
    ("header of 2 MB", "passing: "),
    ("10,000 headers", "passing: "),
    ("100 Continue without end", "passing: "),
    ("a chunk of no size", "passing: "),
    ("a chunk larger than any number", "passing: "),
    ("a chunk's extension without end", "passing: "),
];

async fn attack(at: usize, mut to: TcpStream) -> io::Result<()> {
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n";
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ntransfer-encoding: chunked\r\n\r\n";
    match at {
        0 => drip(&mut to, OK, b"x").await,
        1 => drip(&mut to, &[OK, b"\r\n<p>"].concat(), b"x").await,
        2 => flood(&mut to, OK, b"x: y\r\n").await,
        3 => flood(&mut to, OK, &[b"x: ", &vec![b'y'; 2 << 20][..], b"\r\n\r\n"].concat()).await,
        4 => {
            to.write_all(OK).await?;
            to.write_all("x: y\r\n".repeat(10_000).as_bytes()).await?;
            to.write_all(b"\r\n<p>x").await
        }
        5 => flood(&mut to, b"", b"HTTP/1.1 100 Continue\r\n\r\n").await,
        6 => to.write_all(&[CHUNKED, b"zz\r\nx"].concat()).await,
        7 => to.write_all(&[CHUNKED, b"ffffffffffffffffffff\r\nx"].concat()).await,
        _ => flood(&mut to, &[CHUNKED, b"1;"].concat(), &[b'e'; 4096]).await,
    }
}

/// A byte now and then, for ever.
async fn drip(to: &mut TcpStream, head: &[u8], byte: &[u8]) -> io::Result<()> {
    to.write_all(head).await?;
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tick.tick().await;
        to.write_all(byte).await?;
    }
}

async fn flood(to: &mut TcpStream, head: &[u8], more: &[u8]) -> io::Result<()> {
    to.write_all(head).await?;
    loop {
        to.write_all(more).await?;
    }
}

#[tokio::test]
async fn hostile_servers_end_in_a_named_result() {
    for (at, (name, expected)) in SERVERS.into_iter().enumerate() {
        let port = by_hand(move |_, stream| attack(at, stream)).await;
        let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
        let before = forget_peak();
        let told = told(&fetcher.fetch(&format!("http://site.test:{port}/"), None, &Others::default()).await);
        let grown = peak().saturating_sub(before);
        println!("{name:45} {:>4} MB  {told}", grown >> 20);
        assert!(told.starts_with(expected), "{name}: {told}");
        assert!(grown < MOST_MEMORY, "{name}: {grown} bytes");
    }
}

/// While all places are taken, a page is tried again later.
#[tokio::test]
async fn a_page_that_finds_no_place_in_time_is_a_passing_failure() {
    let port = serve(|path, _| if path == "/robots.txt" { missing() } else { page("<p>x") }).await;
    let short = Limits { parse: Duration::from_millis(200), ..limits() };
    let fetcher = fetcher_with(&[format!("site.test:{port}")], Box::new(Names::default()), short);
    let held = Arc::clone(&fetcher.gate).acquire_many_owned(AT_A_TIME as u32).await.unwrap();
    let url = format!("http://site.test:{port}/");
    let first = told(&fetcher.fetch(&url, None, &Others::default()).await);
    assert!(first.starts_with("passing: the page was not read within"), "{first}");
    drop(held);
    assert_eq!(told(&fetcher.fetch(&url, None, &Others::default()).await), "text: \"x\"");
}

/// The most memory that the process has had since; 0 where the system does not say. Other tests run beside it, so only
/// what is far too much is told from what is not.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Begins anew, with what there is now.
fn forget_peak() -> u64 {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    peak()
}

/// 256 MB of `x`.
const BROTLI: &[u8] = include_bytes!("bomb.br");
