//! A record of `tags.catalog`.

use serde::{Deserialize, Serialize};

/// What a record says of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// The tag.
    pub tag: String,
    /// As people write it.
    #[serde(default)]
    pub label: String,
    /// How many links have it.
    #[serde(default)]
    pub links: u64,
    /// Whether a person gave it to one of them.
    #[serde(default)]
    pub given: bool,
}

impl Value {
    /// Whether more than one page stands behind it. What a single page brought in says nothing about others: offered or
    /// matched, it would let that page's text change their entries.
    pub fn is_established(&self) -> bool {
        self.given || self.links > 1
    }

    /// Reads a record's value.
    ///
    /// # Errors
    /// It is not JSON, or says no tag.
    pub fn parse(value: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(value)
    }
}

/// The key of a tag's record: the tag, after its tenant and `/` where there is one.
pub fn key(tenant: &str, tag: &str) -> String {
    if tenant.is_empty() { tag.to_owned() } else { format!("{tenant}/{tag}") }
}

/// The tenant in a key, whose tag is known: either may hold a `/` itself.
pub(super) fn tenant<'a>(key: &'a str, tag: &str) -> Option<&'a str> {
    let before = key.strip_suffix(tag).filter(|_| !tag.is_empty())?;
    if before.is_empty() { Some("") } else { before.strip_suffix('/').filter(|tenant| !tenant.is_empty()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_its_tenant_back() {
        for (owner, tag) in [("", "rust"), ("acme", "rust"), ("a/b", "c/d"), ("", "c/d"), ("ü", "c++")] {
            assert_eq!(tenant(&key(owner, tag), tag), Some(owner));
        }
        for (key, tag) in [("rust", ""), ("", ""), ("trust", "rust"), ("/rust", "rust")] {
            assert_eq!(tenant(key, tag), None, "{key} {tag}");
        }
    }
}
