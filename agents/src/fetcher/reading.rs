//! From an answer's bytes to text and metadata: off the async threads, within a time limit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use url::Url;

use super::article::{self, Article};
use super::content_type::{ContentType, Kind};
use super::markup::{Tamed, tame};
use super::metadata::{Metadata, link, time, words};
use super::trouble::Trouble;
use super::{characters, charset, language, text};

/// Deep trees are walked recursively in places; the depth is bounded, and this is many times what it takes.
const STACK: usize = 16 << 20;

/// How many pages are read at a time.
pub const AT_A_TIME: usize = 2;

/// Counted up when texts change by it: what an older one read is then fetched whole again.
pub const READER: u32 = 1;

/// Characters of an excerpt that is the text's beginning.
const EXCERPT: usize = 300;

/// What is to be read.
#[derive(Debug)]
pub struct Body {
    /// As it came, decompressed.
    pub bytes: Vec<u8>,
    /// What it is.
    pub content_type: ContentType,
    /// Where it came from.
    pub url: Url,
}

/// Text with what is known beside it.
#[derive(Debug)]
pub struct Reading {
    /// The text; none where the page has none.
    pub text: Option<String>,
    /// What the page itself says; the rest is the caller's.
    pub metadata: Metadata,
}

/// Reads a body. A page whose article is not found in time gives its plain text.
///
/// # Errors
/// It is no text (final), or there was no time (passing).
pub async fn read(gate: &Arc<Semaphore>, body: Body, most: usize, patience: Duration) -> Result<Reading, Trouble> {
    read_by(article::find, gate, body, most, patience).await
}

async fn read_by(
    find: impl Fn(&Tamed, &str) -> Article + Send + 'static,
    gate: &Arc<Semaphore>,
    body: Body,
    most: usize,
    patience: Duration,
) -> Result<Reading, Trouble> {
    let late = || Trouble::passing(format!("the page was not read within {patience:?}"));
    // Kept by the thread until it ends, even when nobody waits any longer: no pile of threads.
    let permit = tokio::time::timeout(patience, Arc::clone(gate).acquire_owned()).await;
    let Ok(Ok(permit)) = permit else { return Err(late()) };
    let (plain_to, plain_from) = oneshot::channel();
    let (article_to, article_from) = oneshot::channel();
    let url = body.url.clone();
    let work = move || {
        let _permit = permit;
        // A panic has been reported by its hook; here it only means that nothing was found.
        let _ = catch_unwind(AssertUnwindSafe(move || {
            let page = plain(&body);
            let tamed = page.as_ref().ok().and_then(|page| page.tamed.clone());
            let _ = plain_to.send(page);
            if let Some(tamed) = tamed {
                let _ = article_to.send(find(&tamed, body.url.as_str()));
            }
        }));
    };
    // Not one of the runtime's threads: its end would wait for them.
    std::thread::Builder::new()
        .name("page".to_owned())
        .stack_size(STACK)
        .spawn(work)
        .map_err(|error| Trouble::passing(format!("no thread to read the page: {error}")))?;
    let deadline = tokio::time::Instant::now() + patience;
    let page = match tokio::time::timeout_at(deadline, plain_from).await {
        Ok(Ok(page)) => page.map_err(Trouble::Final)?,
        Ok(Err(_)) => return Err(Trouble::last("the page could not be read: its reader failed")),
        Err(_) => return Err(late()),
    };
    let article = match page.tamed.is_some() {
        false => None,
        true => tokio::time::timeout_at(deadline, article_from).await.ok().and_then(Result::ok),
    };
    if page.tamed.is_some() && article.is_none() {
        tracing::warn!(url = %url, "no article found in time; the page's plain text is taken");
    }
    Ok(together(page, article.unwrap_or_default(), &url, most))
}

/// What can be had in linear time.
struct Plain {
    text: String,
    charset: &'static str,
    title: Option<String>,
    tamed: Option<Arc<Tamed>>,
}

fn plain(body: &Body) -> Result<Plain, String> {
    let (mut decoded, charset) =
        charset::decode(&body.bytes, &body.content_type, body.url.host_str().unwrap_or_default())?;
    // HTML makes U+FFFD of it in places; it is no more a character that anybody wrote.
    decoded.retain(|c| c != '\0');
    Ok(match body.content_type.kind {
        Kind::Html => {
            let tamed = tame(&decoded);
            Plain { text: text::of(&tamed.html), charset, title: None, tamed: Some(Arc::new(tamed)) }
        }
        Kind::Text => Plain { text: characters::text(&decoded), charset, title: None, tamed: None },
        Kind::Markdown => {
            let text = characters::text(&decoded);
            let title = text.lines().find_map(|line| line.strip_prefix("# ")).map(str::to_owned);
            Plain { text, charset, title, tamed: None }
        }
    })
}

fn together(page: Plain, article: Article, url: &Url, most: usize) -> Reading {
    let head = page.tamed.as_ref().map(|tamed| tamed.head.clone()).unwrap_or_default();
    let mut text = if article.text.is_empty() { page.text } else { article.text };
    let cut = characters::cut(&mut text, most);
    let base = head.base.as_deref().and_then(|base| url.join(base).ok()).unwrap_or_else(|| url.clone());
    let beginning = || characters::line(&text[..text.floor_char_boundary(EXCERPT * 4)], EXCERPT);
    let metadata = Metadata {
        title: words(article.title.as_deref()).or_else(|| words(page.title.as_deref())),
        byline: words(article.byline.as_deref()),
        language: language::of(head.lang.as_deref(), &text),
        site_name: words(article.site_name.as_deref()),
        published_at: time(article.published.as_deref()).or_else(|| time(head.published.as_deref())),
        image: link(article.image.as_deref(), &base),
        canonical_url: link(head.canonical.as_deref(), &base),
        charset: Some(page.charset.to_owned()),
        truncated: cut || page.tamed.is_some_and(|tamed| tamed.truncated),
        excerpt: words(article.excerpt.as_deref()).or_else(beginning),
        reader: Some(READER),
        ..Metadata::default()
    };
    Reading { text: (!text.is_empty()).then_some(text), metadata }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::sync::mpsc;

    use super::*;

    fn page() -> Body {
        Body {
            bytes: b"<title>t</title><p>the text".to_vec(),
            content_type: ContentType { kind: Kind::Html, essence: "text/html".to_owned(), charset: None },
            url: Url::parse("http://site.test/").unwrap(),
        }
    }

    /// Long enough for the plain text on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(3);

    #[tokio::test]
    async fn a_reader_that_panics_costs_the_article_only() {
        let gate = Arc::new(Semaphore::new(1));
        let panics = |_: &Tamed, _: &str| -> Article { panic!("as the test wants it") };
        let reading = read_by(panics, &gate, page(), 1000, PATIENCE).await.unwrap();
        assert_eq!(reading.text.as_deref(), Some("the text"));
        assert_eq!(read(&gate, page(), 1000, PATIENCE).await.unwrap().metadata.title.as_deref(), Some("t"));
    }

    #[tokio::test]
    async fn a_reader_that_never_ends_is_not_waited_for_and_keeps_its_place() {
        let gate = Arc::new(Semaphore::new(1));
        let (end, ended) = mpsc::channel::<()>();
        let hangs = move |_: &Tamed, _: &str| {
            let _ = ended.recv();
            Article::default()
        };
        let reading = read_by(hangs, &gate, page(), 1000, PATIENCE).await.unwrap();
        assert_eq!(reading.text.as_deref(), Some("the text"));
        let next = read(&gate, page(), 1000, Duration::from_millis(100)).await;
        assert!(matches!(next, Err(Trouble::Passing { .. })), "{next:?}");
        drop(end);
        assert!(read(&gate, page(), 1000, PATIENCE).await.is_ok());
    }
}
