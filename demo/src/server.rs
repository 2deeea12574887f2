//! Who answers what: the `Host` header chooses the site, the path the page.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use tokio::net::TcpListener;

use crate::library::Library;
use crate::mishaps::{self, Knocks, Mishap};
use crate::page::Page;
use crate::render::Renderer;
use crate::sites::{self, Site};
use crate::{latin1, picture, published};

/// How to serve.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that the publisher writes to, shown on `feed.demo.localhost`, `localhost` and `127.0.0.1`.
    pub published: Option<PathBuf>,
    /// How long the slow page takes.
    pub slow: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { published: None, slow: Duration::from_secs(8) }
    }
}

struct Server {
    options: Options,
    library: Library,
    knocks: Knocks,
}

/// Answers on this listener until it is dropped.
///
/// # Errors
/// A page that is not as it should be, or the listener's.
pub async fn serve(listener: TcpListener, options: Options) -> anyhow::Result<()> {
    axum::serve(listener, site(options).map_err(anyhow::Error::msg)?).await?;
    Ok(())
}

/// Everything that is served.
///
/// # Errors
/// Names the page that is not as it should be.
pub fn site(options: Options) -> Result<Router, String> {
    let server = Server { options, library: Library::load()?, knocks: Knocks::default() };
    Ok(Router::new().fallback(answer).with_state(Arc::new(server)))
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    let host = host(&request);
    let (name, port) = match host.rfind(':') {
        Some(at) if host[at + 1..].bytes().all(|byte| byte.is_ascii_digit()) => host.split_at(at),
        _ => (host.as_str(), ""),
    };
    let renderer = Renderer { library: &server.library, port };
    match name {
        "feed.demo.localhost" | "localhost" | "127.0.0.1" | "[::1]" => {
            published::show(server.options.published.as_ref(), request).await
        }
        "demo.localhost" => rendered(renderer.directory()),
        _ => match name.strip_suffix(".demo.localhost").and_then(sites::find) {
            Some(site) => server.on_site(site, &renderer, request.uri(), request.headers()).await,
            None => (StatusCode::NOT_FOUND, format!("There is no site called {name} here.\n")).into_response(),
        },
    }
}

fn host(request: &Request) -> String {
    let header = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    header
        .or_else(|| request.uri().authority().map(|authority| authority.as_str()))
        .unwrap_or_default()
        .to_ascii_lowercase()
}

impl Server {
    async fn on_site(&self, site: &Site, renderer: &Renderer<'_>, asked: &Uri, headers: &HeaderMap) -> Response {
        let path = asked.path();
        if let Some(mishap) = mishaps::find(site.label, path)
            && let Some(instead) = self.mishap(mishap, site, renderer, path).await
        {
            return instead;
        }
        let whole = asked.path_and_query().map_or(path, |whole| whole.as_str());
        if let Some(page) = self.library.find(site.label, whole) {
            return unless_known(headers, render_page(renderer, site, page));
        }
        if let Some(page) = path.strip_prefix("/art/").and_then(|name| name.strip_suffix(".svg")) {
            return ([(header::CONTENT_TYPE, "image/svg+xml")], picture::draw(page, site.hue)).into_response();
        }
        match path {
            "/" => rendered(renderer.list(site)),
            "/robots.txt" => robots(site).into_response(),
            _ => notice(
                StatusCode::NOT_FOUND,
                site,
                "Not found",
                "There is no such page on this site, and there never was.",
            ),
        }
    }

    /// What comes in place of the page, if anything does.
    async fn mishap(&self, mishap: Mishap, site: &Site, renderer: &Renderer<'_>, path: &str) -> Option<Response> {
        Some(match mishap {
            Mishap::Slow => {
                tokio::time::sleep(self.options.slow).await;
                return None;
            }
            Mishap::HealsAtSecondTry if !self.knocks.first(&format!("{}{path}", site.label)) => return None,
            Mishap::HealsAtSecondTry => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                notice(status, site, "The door is shut", "Somebody is standing behind it. Knock once more.")
            }
            Mishap::NeverHeals => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                notice(status, site, "The clock has stopped", "It has stopped at this point every time so far.")
            }
            Mishap::Missing => {
                notice(StatusCode::NOT_FOUND, site, "Not found", "It was here. You have come a little too late.")
            }
            Mishap::Gone => notice(
                StatusCode::GONE,
                site,
                "Withdrawn",
                "The authors have withdrawn this result: the scale read two grams too much.",
            ),
            Mishap::Huge => mishaps::catalogue(),
            Mishap::Pdf => mishaps::plan(),
            Mishap::RedirectsToForbidden => {
                mishaps::redirect(StatusCode::FOUND, &format!("http://127.0.0.1{}/", renderer.port))
            }
            Mishap::Moved(to) => mishaps::redirect(StatusCode::MOVED_PERMANENTLY, to),
        })
    }
}

fn render_page(renderer: &Renderer<'_>, site: &Site, page: &Page) -> Response {
    let html = match renderer.page(site, page) {
        Ok(html) => html,
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    };
    let tag = entity_tag(&html);
    // The header leaves the character set to the page, as servers did that were set up when this one was new.
    let mut response = match &page.charset {
        Some(_) => ([(header::CONTENT_TYPE, "text/html")], latin1::encode(&html)).into_response(),
        None => Html(html).into_response(),
    };
    if let Ok(tag) = tag.parse() {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// So that a client that comes again need not take the page again.
fn entity_tag(html: &str) -> String {
    let mut hasher = DefaultHasher::new();
    html.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// 304 for whoever has the page already.
fn unless_known(asked: &HeaderMap, page: Response) -> Response {
    match page.headers().get(header::ETAG) {
        Some(tag) if asked.get(header::IF_NONE_MATCH) == Some(tag) => {
            (StatusCode::NOT_MODIFIED, [(header::ETAG, tag.clone())]).into_response()
        }
        _ => page,
    }
}

fn rendered(html: askama::Result<String>) -> Response {
    match html {
        Ok(html) => Html(html).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

fn notice(status: StatusCode, site: &Site, title: &str, text: &str) -> Response {
    (status, rendered(Renderer::notice(site, title, text))).into_response()
}

fn robots(site: &Site) -> String {
    match site.private {
        Some(folder) => format!("User-agent: *\nDisallow: {folder}\n"),
        None => "User-agent: *\nDisallow:\n".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use axum::body::Body;

    #[tokio::test(start_paused = true)]
    async fn the_slow_page_takes_eight_seconds_and_another_does_not() {
        let library = Library::load().unwrap();
        let server = Arc::new(Server { options: Options::default(), library, knocks: Knocks::default() });
        for (host, path, seconds) in [("slow", "/atlas-of-silence", 8), ("slow", "/", 0), ("science", "/moss", 0)] {
            let host = format!("{host}.demo.localhost");
            let request = Request::get(path).header(header::HOST, host).body(Body::empty()).unwrap();
            let began = tokio::time::Instant::now();
            assert_eq!(answer(State(Arc::clone(&server)), request).await.status(), StatusCode::OK, "{path}");
            // The test's clock moves only when everything waits for it.
            assert_eq!(began.elapsed().as_secs(), seconds, "{path}");
        }
    }
}
