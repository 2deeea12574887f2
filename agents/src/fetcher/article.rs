//! The article in a page. Runs on a thread of its own (`reading`): it may take long, or panic.

use dom_smoothie::{Config, Readability};

use super::markup::Tamed;
use super::text;

/// What was found; nothing is checked yet.
#[derive(Debug, Default)]
pub struct Article {
    /// Its text; empty where no article was found.
    pub text: String,
    /// The title.
    pub title: Option<String>,
    /// Who wrote it.
    pub byline: Option<String>,
    /// The site's name.
    pub site_name: Option<String>,
    /// When it was published.
    pub published: Option<String>,
    /// The lead image.
    pub image: Option<String>,
    /// The page's description of itself.
    pub excerpt: Option<String>,
}

/// Finds it.
pub fn find(page: &Tamed, url: &str) -> Article {
    let Ok(mut reader) = Readability::new(page.html.as_str(), Some(url), Some(Config::default())) else {
        return Article::default();
    };
    let metadata = reader.get_article_metadata(reader.parse_json_ld());
    let mut article = Article {
        text: String::new(),
        title: Some(metadata.title),
        byline: metadata.byline,
        site_name: metadata.site_name,
        published: metadata.published_time,
        image: metadata.image,
        excerpt: metadata.excerpt,
    };
    if let Ok(found) = reader.parse() {
        // What is left after it is the short list of elements that ammonia lets through, and their text.
        article.text = text::of(&ammonia::clean(&found.content));
        article.byline = article.byline.or(found.byline);
        if !found.title.is_empty() {
            article.title = Some(found.title);
        }
    }
    article
}
