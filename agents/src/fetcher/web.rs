//! One request, to addresses that were checked.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_ENCODING, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use reqwest::{Client, Response, redirect};
use rustls::ClientConfig;

use super::limits::Limits;
use super::pace::Pace;
use super::resolver::{Lookup, Pinned, addresses};
use super::target::{AllowList, Target};
use super::trouble::{Trouble, chain};

/// Who asks: name, version, and where to read what it is.
pub const USER_AGENT: &str =
    concat!("pg_lifestream/", env!("CARGO_PKG_VERSION"), " (+", env!("CARGO_PKG_REPOSITORY"), ")");

const KINDS: &str = "text/html,application/xhtml+xml,text/markdown;q=0.9,text/plain;q=0.8,*/*;q=0.1";

/// Makes requests, within limits, and to nobody who is forbidden.
pub struct Web {
    /// Hosts that may be private.
    pub allow: AllowList,
    /// How names are resolved.
    pub lookup: Box<dyn Lookup>,
    /// What it may cost.
    pub limits: Limits,
    /// When each host may be asked again.
    pub pace: Pace,
    /// At least so long between the starts of two requests to one host.
    pub interval: Duration,
    /// Verified certificates.
    pub tls: ClientConfig,
}

/// What an earlier answer said of itself, so that the server can say "not modified".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// Its `ETag`.
    pub etag: Option<String>,
    /// Its `Last-Modified`.
    pub last_modified: Option<String>,
}

impl Web {
    /// Asks, and has the answer's head. Redirects are answers too.
    ///
    /// # Errors
    /// The address is forbidden, or nobody answered.
    pub async fn ask(&self, target: &Target, validators: Option<&Validators>) -> Result<Response, Trouble> {
        let checked = addresses(target, self.lookup.as_ref(), self.limits.resolve).await?;
        // Each request has a client of its own: no connection is kept that was checked for another name or time.
        let client = self.client(target, checked.clone())?;
        let turn = self.pace.wait(&target.name(), self.interval, self.limits.whole).await;
        turn.map_err(|_| Trouble::passing(format!("too much is asked of {} at once", target.name())))?;
        let request = client.get(target.url().clone()).headers(headers(validators));
        let response = request.send().await.map_err(|error| failed(target, error))?;
        // Holds by construction; should it not, the answer is not used.
        if let Some(peer) = response.remote_addr()
            && !checked.iter().any(|address| address.ip() == peer.ip())
        {
            return Err(Trouble::last(format!("address refused: {} answered from {peer}, not checked", target.name())));
        }
        Ok(response)
    }

    fn client(&self, target: &Target, addresses: Vec<std::net::SocketAddr>) -> Result<Client, Trouble> {
        let pinned = Pinned { host: target.host().to_string(), addresses };
        Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .dns_resolver(Arc::new(pinned))
            // One request a connection gains nothing from HTTP/2, and its limits are fewer.
            .http1_only()
            .http1_max_headers(256)
            // Its decoder takes as much memory as the sender likes, up to 128 MB.
            .no_zstd()
            .connect_timeout(self.limits.connect)
            .read_timeout(self.limits.idle)
            .timeout(self.limits.exchange)
            .build()
            .map_err(|error| Trouble::passing(format!("HTTP client: {}", chain(&error))))
    }

    /// The whole body, decompressed, or its first `limit` bytes and whether there are more.
    ///
    /// # Errors
    /// It broke off, or is compressed in a way that is not read.
    pub async fn body(
        &self,
        target: &Target,
        mut response: Response,
        limit: usize,
    ) -> Result<(Vec<u8>, bool), Trouble> {
        // Taken away by the client where it decompresses.
        let encoding = response.headers().get(CONTENT_ENCODING).map(|value| String::from_utf8_lossy(value.as_bytes()));
        if let Some(encoding) = encoding.filter(|encoding| !encoding.trim().eq_ignore_ascii_case("identity")) {
            let encoding = encoding.trim();
            return Err(Trouble::last(format!("content encoding {encoding:?} is not read (gzip, deflate and br are)")));
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| failed(target, error))? {
            if piece.len() > limit - body.len() {
                body.extend_from_slice(&piece[..limit - body.len()]);
                return Ok((body, true));
            }
            body.extend_from_slice(&piece);
        }
        Ok((body, false))
    }
}

fn headers(validators: Option<&Validators>) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(KINDS))]);
    let Some(validators) = validators else { return headers };
    for (name, value) in [(IF_NONE_MATCH, &validators.etag), (IF_MODIFIED_SINCE, &validators.last_modified)] {
        if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    headers
}

/// Whatever keeps a server from answering, its certificate too, may be better later.
fn failed(target: &Target, error: reqwest::Error) -> Trouble {
    let what = match (error.is_timeout(), error.is_connect(), error.is_decode() || error.is_body()) {
        (true, true, _) => "did not take the connection in time",
        (true, ..) => "did not answer in time",
        (_, true, _) => "could not be connected to",
        (.., true) => "broke off its answer",
        _ => "did not answer as HTTP asks",
    };
    Trouble::passing(format!("{} {what}: {}", target.name(), chain(&error.without_url())))
}
