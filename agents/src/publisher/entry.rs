//! A link as it is published: every text in it is clean, every address safe.

use lifestream_envelope::ids;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::address::{self, Address};
use super::listing::Place;
use super::{clean, day};

/// What the state says of a link; texts as they came.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// `links.subject_id`.
    pub subject_id: String,
    /// `links.tenant_id`.
    pub tenant_id: String,
    /// `links.url`.
    pub url: String,
    /// `links.first_seq`.
    pub first_seq: i64,
    /// `links.added_at`, microseconds since 1970.
    pub added_at: i64,
    /// `link_metadata.enriched_at`, microseconds since 1970.
    pub enriched_at: i64,
    /// The person's title, else the page's.
    pub title: Option<String>,
    /// Name of the site.
    pub site: Option<String>,
    /// Who wrote it.
    pub byline: Option<String>,
    /// Its language, as the page names it.
    pub language: Option<String>,
    /// When the page says that it was published.
    pub published: Option<String>,
    /// `link_metadata.summary`.
    pub summary: Option<String>,
    /// `link_metadata.topic`.
    pub topic: Option<String>,
    /// `link_metadata.model`.
    pub model: Option<String>,
    /// `tags.tag`, each once.
    pub tags: Vec<String>,
}

/// A link as it is published.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// The link's subject.
    pub subject: String,
    /// Whose it is.
    pub tenant: String,
    /// Where it stands in every list.
    pub place: Place,
    /// When its text last changed, microseconds since 1970.
    pub updated: i64,
    /// Never empty.
    pub title: String,
    /// Where the original is, if that is on the web.
    pub href: Option<String>,
    /// Its host, or what the address begins with where it is not on the web.
    pub host: String,
    /// Name of the site, where it says more than the host.
    pub site: Option<String>,
    /// Who wrote it.
    pub byline: Option<String>,
    /// A language tag, such as `en` or `pt-BR`.
    pub lang: Option<String>,
    /// The day on which the page was published, such as `3 May 2024`.
    pub published: Option<String>,
    /// The summary, by paragraphs.
    pub summary: Vec<String>,
    /// What it is about.
    pub topic: Option<String>,
    /// What wrote the summary.
    pub model: Option<String>,
    /// As the state has them: they name lists. For people: [`label`].
    pub tags: Vec<String>,
}

impl Entry {
    /// Cleans what the state has.
    pub fn new(row: Row) -> Self {
        let address = address::web(&row.url);
        let name = |text: Option<String>| text.map(|t| clean::line(&t, clean::NAME)).filter(|t| !t.is_empty());
        let plain = clean::line(&row.url, clean::NAME);
        let (href, host) = match address {
            Some(Address { href, host }) => (Some(href), host),
            None => (None, if plain.is_empty() { "no address".to_owned() } else { plain }),
        };
        let title = row.title.map(|t| clean::line(&t, clean::TITLE)).filter(|t| !t.is_empty());
        let mut tags = row.tags;
        tags.sort_unstable();
        Self {
            place: Place { at: row.added_at, seq: row.first_seq, id: page_id(&row.tenant_id, &row.subject_id) },
            updated: row.enriched_at,
            title: title.unwrap_or_else(|| href.as_deref().map_or_else(|| host.clone(), without_scheme)),
            site: name(row.site).filter(|site| !site.eq_ignore_ascii_case(&host)),
            byline: name(row.byline),
            lang: row.language.and_then(|text| language(&text)),
            published: row.published.and_then(|text| date(&text)),
            summary: row.summary.map(|text| clean::paragraphs(&text, clean::SUMMARY)).unwrap_or_default(),
            topic: name(row.topic),
            model: name(row.model),
            subject: row.subject_id,
            tenant: row.tenant_id,
            href,
            host,
            tags,
        }
    }

    /// Changes with everything that a page shows of it.
    pub fn digest(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(&text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A tag as people see it.
pub fn label(tag: &str) -> String {
    let label = clean::line(tag, clean::NAME);
    if label.is_empty() { "(unnamed)".to_owned() } else { label }
}

/// Names a link's page: the same for the same link, in every folder.
pub fn page_id(tenant: &str, subject: &str) -> Uuid {
    Uuid::new_v5(&ids::NAMESPACE, format!("page|{tenant}|{subject}").as_bytes())
}

fn without_scheme(href: &str) -> String {
    let text = href.split_once("://").map_or(href, |(_, rest)| rest);
    clean::line(text.trim_end_matches('/'), clean::NAME)
}

/// The beginning of a BCP 47 tag: `en`, `pt-BR`, `zh-Hant-TW`.
fn language(text: &str) -> Option<String> {
    let text = text.trim().replace('_', "-");
    let parts: Vec<&str> = text.split('-').collect();
    let fits = |part: &&str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let first =
        parts.first().filter(|first| (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic()));
    (first.is_some() && parts.len() <= 4 && parts.iter().all(fits)).then_some(text)
}

/// The day of a date or time that begins as ISO 8601 has it.
fn date(text: &str) -> Option<String> {
    let day: jiff::civil::Date = text.trim().get(..10)?.parse().ok()?;
    (1000..=9999).contains(&day.year()).then(|| day::long(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_clean_and_a_title_is_never_missing() {
        let row = Row { url: "https://example.org/a/".into(), title: Some(" \u{202e} ".into()), ..Row::default() };
        let entry = Entry::new(row);
        assert_eq!((entry.title.as_str(), entry.host.as_str(), entry.site), ("example.org/a", "example.org", None));
        let entry = Entry::new(Row { url: "javascript:alert(1)".into(), ..Row::default() });
        assert_eq!((entry.title.as_str(), entry.href), ("javascript:alert(1)", None));
        assert_eq!(Entry::new(Row::default()).title, "no address");
        let invisible = "\u{200b}\u{2060} \u{ad}\u{3164}\u{200d}\u{2800}\u{fe0f}";
        let row = Row { url: "https://example.org/a".into(), title: Some(invisible.into()), ..Row::default() };
        let entry = Entry::new(Row { site: Some(invisible.into()), summary: Some(invisible.into()), ..row });
        assert_eq!((entry.title.as_str(), entry.site, entry.summary.len()), ("example.org/a", None, 0));
        assert_eq!(label("\u{200b}"), "(unnamed)");
        assert_eq!(label("\u{202e}"), "(unnamed)");
    }

    #[test]
    fn languages_and_dates_are_those_of_their_standards() {
        for (text, expected) in [("en", Some("en")), ("pt_BR", Some("pt-BR")), ("zh-Hant-TW", Some("zh-Hant-TW"))] {
            assert_eq!(language(text).as_deref(), expected);
        }
        for text in ["", "e", "english", "en\"><script>", "en-", "12", "en-a-b-c-d"] {
            assert_eq!(language(text), None, "{text}");
        }
        assert_eq!(date("2024-05-03T10:00:00+02:00").as_deref(), Some("3 May 2024"));
        for text in ["", "May 3", "2024-13-01", "20240503", "日本語日本語", "0000-01-01"] {
            assert_eq!(date(text), None, "{text}");
        }
    }
}
