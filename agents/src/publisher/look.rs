//! What all pages share: title, addresses, stylesheet.

use std::path::Path;

use lifestream_envelope::ids;
use sha2::{Digest, Sha256};
use url::Url;
use uuid::Uuid;

use super::page::site_path;
use super::{address, clean, entry};

/// The stylesheet.
pub const STYLE: &str = include_str!("../../templates/publisher/style.css");
/// The icon.
pub const ICON: &str = include_str!("../../templates/publisher/icon.svg");

/// With a change in any of these every page is to be written anew.
const TEMPLATES: [&str; 11] = [
    env!("CARGO_PKG_VERSION"),
    include_str!("../../templates/publisher/base.html"),
    include_str!("../../templates/publisher/links.html"),
    include_str!("../../templates/publisher/home.html"),
    include_str!("../../templates/publisher/link.html"),
    include_str!("../../templates/publisher/past.html"),
    include_str!("../../templates/publisher/archive.html"),
    include_str!("../../templates/publisher/tag.html"),
    include_str!("../../templates/publisher/tags.html"),
    include_str!("../../templates/publisher/content.html"),
    include_str!("../../templates/publisher/periods.html"),
];

/// What all pages share.
#[derive(Debug, Clone)]
pub struct Look {
    /// `LIFESTREAM_FEED_TITLE`.
    pub title: String,
    base: String,
    served: bool,
}

impl Look {
    /// For a folder, and where it is served if it is.
    pub fn new(title: &str, served_at: Option<&str>, folder: &Path) -> Option<Self> {
        let base = match served_at {
            Some(address) => {
                let mut base = Url::parse(address).ok()?;
                base.set_query(None);
                base.set_fragment(None);
                if !base.path().ends_with('/') {
                    let path = format!("{}/", base.path());
                    base.set_path(&path);
                }
                base
            }
            None => Url::from_directory_path(folder).ok()?,
        };
        let title = clean::line(title, clean::TITLE);
        let title = if title.is_empty() { "Life stream".to_owned() } else { title };
        Some(Self { title, base: address::uri(&base), served: served_at.is_some() })
    }

    /// The absolute address of a file of a tenant's site.
    pub fn address(&self, tenant: &str, path: &str) -> String {
        format!("{}{}{path}", self.base, site_path(tenant))
    }

    /// A tenant's title.
    pub fn site_title(&self, tenant: &str) -> String {
        if tenant.is_empty() { self.title.clone() } else { format!("{} · {}", self.title, entry::label(tenant)) }
    }

    /// The page's address for search engines; files on a disk have none.
    pub fn canonical(&self, tenant: &str, path: &str) -> Option<String> {
        self.served.then(|| self.address(tenant, path.strip_suffix("index.html").unwrap_or(path)))
    }

    /// Nothing may be loaded but the stylesheet and the icon, nothing may run, nothing may be sent. Not every browser
    /// counts a file beside the page as the page's own.
    pub fn policy(&self) -> &'static str {
        if self.served {
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
        } else {
            "default-src 'none'; style-src 'self' file:; img-src 'self' file:; base-uri 'none'; form-action 'none'"
        }
    }

    /// The id of a tenant's feed, or of an entry in it, for all time: nothing but its address and the link's subject make it.
    pub fn feed_id(&self, tenant: &str, subject: Option<&str>) -> String {
        let name = match subject {
            None => format!("feed|{}|{tenant}", self.base),
            Some(subject) => format!("entry|{}|{tenant}|{subject}", self.base),
        };
        Uuid::new_v5(&ids::NAMESPACE, name.as_bytes()).urn().to_string()
    }

    /// Another text when pages look different.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for part in TEMPLATES.into_iter().chain([self.title.as_str(), self.base.as_str(), STYLE, ICON]) {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn addresses_are_below_where_the_folder_is_served() {
        let folder = Path::new("/srv/my feed");
        for (served, expected) in [
            (Some("https://example.org"), "https://example.org/index.html"),
            (Some("https://example.org/feed"), "https://example.org/feed/index.html"),
            (Some("https://example.org/feed/?a=b#c"), "https://example.org/feed/index.html"),
            (None, "file:///srv/my%20feed/index.html"),
        ] {
            assert_eq!(Look::new("x", served, folder).unwrap().address("", "index.html"), expected);
        }
        let look = Look::new("x", Some("https://example.org"), folder).unwrap();
        assert_eq!(look.address("acme", "index.html"), "https://example.org/t/acme/index.html");
        assert_eq!(look.canonical("", "tags/index.html").as_deref(), Some("https://example.org/tags/"));
        assert_ne!(look.digest(), Look::new("y", Some("https://example.org"), folder).unwrap().digest());
        assert_ne!(look.feed_id("", None), look.feed_id("a", None));
    }
}
