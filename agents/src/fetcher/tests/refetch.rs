use super::server::{answer, missing, serve};
use super::*;

/// A page with an ETag, `/moved` leads to it; every request's `if-none-match` is noted.
async fn site() -> (u16, Arc<Mutex<Vec<(String, Option<String>)>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let port = serve(move |path, headers| {
        let asked = headers.get("if-none-match").map(|value| value.to_str().unwrap().to_owned());
        noted.lock().unwrap().push((path.to_owned(), asked.clone()));
        let tag = ("etag", "\"v1\"");
        match path {
            "/robots.txt" => missing(),
            "/moved" => answer(302, &[("location", "/page")], ""),
            _ if asked.as_deref() == Some("\"v1\"") => answer(304, &[tag, ("last-modified", "later")], ""),
            _ => answer(200, &[("content-type", "text/plain; charset=utf-8"), tag], "the text"),
        }
    })
    .await;
    (port, seen)
}

#[tokio::test]
async fn what_is_not_modified_is_emitted_again_as_it_is_stored() {
    let (port, seen) = site().await;
    let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
    let url = format!("http://site.test:{port}/moved");
    let first = fetcher.fetch(&url, None, &Others::default()).await.unwrap();
    assert_eq!((&first["text_content"], &first["metadata"]["etag"]), (&json!("the text"), &json!("\"v1\"")));

    let stored = Stored::new("the text".to_owned(), first["metadata"].clone()).unwrap();
    let again = fetcher.fetch(&url, Some(&stored), &Others::default()).await.unwrap();
    let mut expected = first.clone();
    expected["metadata"]["last_modified"] = json!("later");
    assert_eq!(again, expected);
    let seen = seen.lock().unwrap();
    let asked = |path: &str| seen.iter().filter(|(p, _)| p == path).map(|(_, tag)| tag.clone()).collect::<Vec<_>>();
    // Only where the text came from: an ETag means nothing anywhere else.
    assert_eq!(asked("/moved"), [None, None]);
    assert_eq!(asked("/page"), [None, Some("\"v1\"".to_owned())]);
}

#[tokio::test]
async fn another_readers_text_and_what_has_changed_are_fetched_whole() {
    let (port, _) = site().await;
    let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
    let url = format!("http://site.test:{port}/page");
    let first = fetcher.fetch(&url, None, &Others::default()).await.unwrap();
    let mut metadata = first["metadata"].clone();
    metadata["reader"] = json!(0);
    assert!(Stored::new("old".to_owned(), metadata.clone()).is_none());
    metadata["reader"] = json!(reading::READER);
    metadata["etag"] = json!("\"v0\"");
    let stored = Stored::new("old".to_owned(), metadata.clone()).unwrap();
    assert_eq!(fetcher.fetch(&url, Some(&stored), &Others::default()).await.unwrap(), first);
    // Nothing to ask with; and what nobody's HTTP can carry is not sent.
    metadata["etag"] = Value::Null;
    assert!(Stored::new("old".to_owned(), metadata.clone()).is_none());
    metadata["etag"] = json!("a\r\nb: c");
    let stored = Stored::new("old".to_owned(), metadata).unwrap();
    assert_eq!(fetcher.fetch(&url, Some(&stored), &Others::default()).await.unwrap(), first);
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_no_text() {
    let port = serve(|path, _| if path == "/robots.txt" { missing() } else { answer(304, &[], "") }).await;
    let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
    let told = told(&fetcher.fetch(&format!("http://site.test:{port}/"), None, &Others::default()).await);
    assert!(told.starts_with("fact: HTTP 304"), "{told}");
}
