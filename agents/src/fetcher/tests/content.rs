use super::server::{answer, missing, serve};
use super::*;

const PARAGRAPH: &str = "The lighthouse keeper climbed the stairs every evening to light the lamp, and looked out over the sea \
    for the boats that had not come home yet, counting their lanterns one by one until the last of them was in the harbour.";

/// What a page of that type and these bytes becomes.
async fn read(kind: &'static str, body: impl Into<Vec<u8>>) -> Value {
    let body = body.into();
    let port = serve(move |path, _| match path {
        "/robots.txt" => missing(),
        _ => answer(200, &[("content-type", kind)], body.clone()),
    })
    .await;
    let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
    fetcher.fetch(&format!("http://site.test:{port}/posts/lamp"), None, &Others::default()).await.unwrap()
}

#[tokio::test]
async fn an_article_is_told_from_what_is_around_it() {
    let html = format!(
        r#"<!doctype html><html lang="en-gb"><head><meta charset="utf-8"><title>Lamp | The Harbour</title>
        <link rel="canonical" href="/posts/the-lamp"><meta property="og:site_name" content="The Harbour">
        <meta property="og:title" content="The &lt;Lamp&gt;"><meta property="og:image" content="/img/lamp.jpg">
        <meta name="description" content="On light."><meta name="author" content="Ada Keeper">
        <meta property="article:published_time" content="2026-03-04T05:06:07+01:00"></head>
        <body><nav><ul><li><a href="/">Home</a></li><li><a href="/about">About us</a></li></ul></nav>
        <article><h1>The &lt;Lamp&gt;</h1><p>{PARAGRAPH}</p><p>{PARAGRAPH}<script>alert(1)</script></p>
        <p onclick="alert(1)">{PARAGRAPH}</p></article>
        <aside class="sidebar ad-break">Buy lamps now!</aside><footer>Copyright</footer></body></html>"#
    );
    let payload = read("text/html", html).await;
    let text = payload["text_content"].as_str().unwrap();
    assert_eq!(text.matches("lighthouse keeper").count(), 3, "{text}");
    assert!(text.contains("harbour.\n\nThe lighthouse"), "{text}");
    for other in ["alert", "Buy lamps", "Copyright", "About us"] {
        assert!(!text.contains(other), "{other}: {text}");
    }
    let metadata = &payload["metadata"];
    let site = metadata["final_url"].as_str().unwrap().strip_suffix("/posts/lamp").unwrap().to_owned();
    for (name, expected) in [
        ("title", json!("The <Lamp>")),
        ("byline", json!("Ada Keeper")),
        ("language", json!("en-GB")),
        ("site_name", json!("The Harbour")),
        ("published_at", json!("2026-03-04T04:06:07Z")),
        ("image", json!(format!("{site}/img/lamp.jpg"))),
        ("canonical_url", json!(format!("{site}/posts/the-lamp"))),
        ("content_type", json!("text/html")),
        ("charset", json!("UTF-8")),
        ("excerpt", json!("On light.")),
        ("truncated", json!(false)),
    ] {
        assert_eq!(metadata[name], expected, "{name}");
    }
    assert_eq!(payload["fetch_error"], Value::Null);
}

#[tokio::test]
async fn json_ld_and_time_elements_are_read() {
    let ld = format!(
        r#"<title>x</title><script type="application/ld+json">{{"@context":"https://schema.org","@graph":[{{"@type":"WebSite"}},
        {{"@type":"NewsArticle","headline":"From the graph","author":[{{"name":"Ada"}},{{"name":"Grace"}}],
        "datePublished":"2026-05-06","publisher":{{"name":"Courier"}},"image":"https://cdn.example/x.jpg"}}]}}</script>
        <article><p>{PARAGRAPH}</p><p>{PARAGRAPH}</p></article>"#
    );
    let metadata = read("text/html", ld).await["metadata"].clone();
    for (name, expected) in [
        ("title", "From the graph"),
        ("byline", "Ada, Grace"),
        ("published_at", "2026-05-06"),
        ("site_name", "Courier"),
        ("image", "https://cdn.example/x.jpg"),
        ("language", "en"),
    ] {
        assert_eq!(metadata[name], json!(expected), "{name}");
    }
    let time = format!("<article><time datetime='2026-07-08T09:10Z'>July</time><p>{PARAGRAPH}</p></article>");
    assert_eq!(read("text/html", time).await["metadata"]["published_at"], json!("2026-07-08T09:10:00Z"));
}

#[tokio::test]
async fn charsets_plain_text_markdown_and_xhtml_are_read() {
    let latin1 = |text: &str| encoding_rs::WINDOWS_1252.encode(text).0.into_owned();
    for (kind, body, text, charset, title) in [
        ("text/html; charset=iso-8859-1", latin1("<p>Straße, café"), "Straße, café", "windows-1252", Value::Null),
        ("text/html", latin1("<meta charset=latin1><title>Café</title><p>Öl"), "Öl", "windows-1252", json!("Café")),
        ("text/plain; charset=utf-8", "a < b\r\n\r\nc\0\n".into(), "a < b\n\nc", "UTF-8", Value::Null),
        (
            "text/plain",
            latin1("Grüße aus Köln, schöne Straße"),
            "Grüße aus Köln, schöne Straße",
            "windows-1252",
            Value::Null,
        ),
        ("text/markdown", "# The title\n\ntext".into(), "# The title\n\ntext", "UTF-8", json!("The title")),
        (
            "application/xhtml+xml",
            "<?xml version='1.0'?><html xmlns='x'><body><p>a &amp; b</p></body></html>".into(),
            "a & b",
            "UTF-8",
            Value::Null,
        ),
    ] {
        let payload = read(kind, body).await;
        assert_eq!(payload["text_content"], json!(text), "{kind}");
        assert_eq!(
            (&payload["metadata"]["charset"], &payload["metadata"]["title"]),
            (&json!(charset), &title),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_page_without_an_article_gives_its_text_and_one_without_text_none() {
    let list = "<ul><li><a href=/a>First</a></li><li><a href=/b>Second</a></li></ul>";
    assert_eq!(read("text/html", list).await["text_content"], json!("First\nSecond"));
    for empty in ["", "<div id=root></div><script>render()</script>", "\u{feff}"] {
        let payload = read("text/html", empty).await;
        assert_eq!((&payload["text_content"], &payload["fetch_error"]), (&Value::Null, &Value::Null), "{empty:?}");
    }
}

#[tokio::test]
async fn a_long_text_is_cut_and_the_event_stays_within_its_limit() {
    for (kind, unit) in [("text/plain", "\"\\ "), ("text/html; charset=utf-8", "äöü \" "), ("text/plain", "👩‍🚀")]
    {
        let payload = read(kind, unit.repeat(1_900_000 / unit.len())).await;
        let text = payload["text_content"].as_str().unwrap();
        assert!(text.len() <= 400_000 && text.len() > 399_000, "{}", text.len());
        assert_eq!(payload["metadata"]["truncated"], json!(true));
        assert!(payload.to_string().len() < 900_000, "{}", payload.to_string().len());
    }
}

#[tokio::test]
async fn nothing_that_postgresql_cannot_hold_gets_into_the_payload() {
    let html = "<title>a\0b&#0;c</title><meta name=author content='x\u{1}y'><p>text\0 of &#1;a\u{b} page\u{ffff}</p>";
    let payload = read("text/html; charset=utf-8", html).await;
    assert_eq!(payload["metadata"]["title"], json!("ab\u{fffd}c"));
    let payload = payload.to_string();
    assert!(!payload.contains("\\u00") && !payload.contains('\u{ffff}'), "{payload}");
}

#[tokio::test]
async fn compressed_pages_are_read() {
    let body = gzip(b"<p>packed");
    let port = serve(move |path, headers| match path {
        "/robots.txt" => missing(),
        "/zstd" => answer(200, &[("content-type", "text/html"), ("content-encoding", "zstd")], "x"),
        "/twice" => answer(200, &[("content-type", "text/html"), ("content-encoding", "gzip, gzip")], "x"),
        _ => {
            let accepted = headers["accept-encoding"].to_str().unwrap();
            assert!(accepted.contains("gzip") && accepted.contains("br") && !accepted.contains("zstd"), "{accepted}");
            answer(200, &[("content-type", "text/html"), ("content-encoding", "gzip")], body.clone())
        }
    })
    .await;
    let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
    for (path, expected) in [
        ("/", "text: \"packed\""),
        ("/zstd", "fact: content encoding \"zstd\" is not read"),
        ("/twice", "fact: content encoding \"gzip, gzip\" is not read"),
    ] {
        let told = told(&fetcher.fetch(&format!("http://site.test:{port}{path}"), None, &Others::default()).await);
        assert!(told.starts_with(expected), "{told}");
    }
}

/// As gzip packs it, without packing: stored blocks.
fn gzip(data: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    let length = u16::try_from(data.len()).unwrap();
    packed.extend(length.to_le_bytes());
    packed.extend((!length).to_le_bytes());
    packed.extend(data);
    let crc = data.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (!(crc & 1)).wrapping_add(1)))
    });
    packed.extend((!crc).to_le_bytes());
    packed.extend(u32::from(length).to_le_bytes());
    packed
}
