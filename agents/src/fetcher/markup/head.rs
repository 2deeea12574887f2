//! What a page's tags say of it, beyond what the article reader finds.

use super::attributes::Attributes;

/// As the page says it: nothing is checked or resolved yet.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Head {
    /// `<html lang>`.
    pub lang: Option<String>,
    /// `<html dir>`.
    pub dir: Option<String>,
    /// `<base href>`.
    pub base: Option<String>,
    /// `<link rel=canonical>`.
    pub canonical: Option<String>,
    /// `datePublished`, or the first `<time datetime>` of an article.
    pub published: Option<String>,
}

impl Head {
    /// Looks at a start tag. The first that says something counts.
    pub fn look(&mut self, name: &str, attributes: &Attributes, in_article: bool) {
        let get = |name: &str| attributes.get(name).filter(|value| !value.is_empty());
        let set = |slot: &mut Option<String>, value: Option<&str>| {
            if slot.is_none() {
                *slot = value.map(str::to_owned);
            }
        };
        match name {
            "html" => {
                set(&mut self.lang, get("lang").or_else(|| get("xml:lang")));
                set(&mut self.dir, get("dir"));
            }
            "base" => set(&mut self.base, get("href")),
            "link" if has_word(get("rel"), "canonical") => set(&mut self.canonical, get("href")),
            _ => {}
        }
        if has_word(get("itemprop"), "datePublished") || (name == "time" && in_article) {
            set(&mut self.published, get("datetime").or_else(|| get("content")));
        }
    }
}

fn has_word(list: Option<&str>, word: &str) -> bool {
    list.is_some_and(|list| list.split_whitespace().any(|one| one.eq_ignore_ascii_case(word)))
}
