//! A page as its author wrote it: Markdown below a few lines that say what it is.

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The site's name before `.demo.localhost`.
    pub site: String,
    /// Path, and query if it has one, as it stands in a request line.
    pub path: String,
    /// Its title.
    pub title: String,
    /// Who wrote it.
    pub author: String,
    /// `YYYY-MM-DD`.
    pub date: String,
    /// BCP 47, such as `en`.
    pub lang: String,
    /// What stands below the title of an article; short pages have none.
    pub summary: Option<String>,
    /// What the bytes are encoded in, where that is not UTF-8. Only the page itself says so.
    pub charset: Option<String>,
    /// Markdown.
    pub body: String,
}

impl Page {
    /// Reads a file of `articles/`; `place` is its path below that folder, without `.md`.
    ///
    /// # Errors
    /// Says what is missing or not understood, and where.
    pub fn parse(place: &str, text: &str) -> Result<Self, String> {
        let wrong = |reason: &str| format!("articles/{place}.md: {reason}");
        let (site, path) = place.split_once('/').ok_or_else(|| wrong("lies in no site's folder"))?;
        let (head, body) = text
            .strip_prefix("---\n")
            .and_then(|rest| rest.split_once("\n---\n"))
            .ok_or_else(|| wrong("has no front matter between two lines of ---"))?;
        let mut page = Self {
            site: site.to_owned(),
            path: format!("/{path}"),
            title: String::new(),
            author: String::new(),
            date: String::new(),
            lang: String::new(),
            summary: None,
            charset: None,
            body: body.trim().to_owned(),
        };
        for line in head.lines() {
            let (name, value) = line.split_once(": ").ok_or_else(|| wrong(&format!("{line:?} is no `name: value`")))?;
            let value = value.trim().to_owned();
            match name {
                "path" => page.path = value,
                "title" => page.title = value,
                "author" => page.author = value,
                "date" => page.date = value,
                "lang" => page.lang = value,
                "summary" => page.summary = Some(value),
                "charset" => page.charset = Some(value),
                _ => {
                    return Err(wrong(&format!(
                        "{name:?} is not known (path, title, author, date, lang, summary, charset)"
                    )));
                }
            }
        }
        for (name, value) in
            [("title", &page.title), ("author", &page.author), ("date", &page.date), ("lang", &page.lang)]
        {
            if value.is_empty() {
                return Err(wrong(&format!("says no {name}")));
            }
        }
        Ok(page)
    }

    /// Words of its text.
    pub fn words(&self) -> usize {
        self.body.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
    }

    /// The last part of its path, for the name of its picture.
    pub fn slug(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn front_matter_says_what_a_page_is() {
        let text =
            "---\ntitle: MVCC: drawn\nauthor: A\ndate: 2024-01-01\nlang: en\npath: /b?part=1\n---\n\nOne – two.\n";
        let page = Page::parse("science/bread", text).unwrap();
        assert_eq!((page.site.as_str(), page.path.as_str()), ("science", "/b?part=1"));
        assert_eq!((page.title.as_str(), page.body.as_str()), ("MVCC: drawn", "One – two."));
        assert_eq!(page.words(), 2);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_file() {
        for (place, text, named) in [
            ("stray", "---\ntitle: T\n---\n", "no site's folder"),
            ("essays/a", "title: T\n", "no front matter"),
            ("essays/a", "---\ntitle: T\n---\nx", "says no author"),
            ("essays/a", "---\ncolour: red\n---\nx", "\"colour\" is not known"),
            ("essays/a", "---\ntitle\n---\nx", "\"title\" is no"),
        ] {
            let error = Page::parse(place, text).unwrap_err();
            assert!(error.contains(named) && error.contains(place), "{error}");
        }
    }
}
