//! JSON-LD of a page: kept only where it is JSON, and brought to the form in which the article reader looks for it.

use serde_json::{Map, Value};

/// Types of schema.org that are an article, or end in one of these.
const ARTICLES: &[&str] = &["Article", "BlogPosting", "SocialMediaPosting", "Report", "Posting"];

/// The article's object alone, safe inside `<script>`; none where there is none.
pub fn tidy(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text.trim()).ok()?;
    let mut article = find(&value)?.clone();
    article.insert("@context".to_owned(), Value::from("https://schema.org"));
    // `</script>` and `<!--` in a string would end or change what is around it.
    Some(serde_json::to_string(&article).ok()?.replace('<', "\\u003c"))
}

/// Alone, in an array, or in a `@graph`.
fn find(value: &Value) -> Option<&Map<String, Value>> {
    match value {
        Value::Array(items) => items.iter().find_map(find),
        Value::Object(object) if is_article(object) => Some(object),
        Value::Object(object) => match object.get("@graph") {
            Some(Value::Array(items)) => items.iter().find_map(|item| item.as_object().filter(|item| is_article(item))),
            _ => None,
        },
        _ => None,
    }
}

fn is_article(object: &Map<String, Value>) -> bool {
    let named = |value: &Value| value.as_str().is_some_and(|name| ARTICLES.iter().any(|end| name.ends_with(end)));
    match object.get("@type") {
        Some(Value::Array(types)) => types.iter().any(named),
        Some(one) => named(one),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_article_is_found_where_sites_put_it_and_cannot_end_its_script() {
        for text in [
            r#"{"@context":"http://schema.org","@type":"NewsArticle","headline":"H"}"#,
            r#"[{"@type":"WebSite"},{"@type":"BlogPosting","headline":"H"}]"#,
            r#"{"@graph":[{"@type":"Person"},{"@type":["Article","Thing"],"headline":"H</script><!--"}]}"#,
        ] {
            let tidy = tidy(text).unwrap();
            assert!(tidy.contains("\"headline\":\"H") && tidy.contains("schema.org") && !tidy.contains('<'), "{tidy}");
        }
        for text in ["", "{", "[]", r#"{"@type":"Recipe"}"#, &"[".repeat(100_000), r#"{"@graph":{}}"#] {
            assert_eq!(tidy(text), None);
        }
    }
}
