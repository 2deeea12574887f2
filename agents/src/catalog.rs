//! The catalog of known tags, on the compacted topic `tags.catalog`.
//!
//! The topic has one partition, and a group would give it to one member only. So whoever needs the catalog reads it by
//! itself, from its first record and beside any group ([`Reader`]). The router writes what it lacks ([`Writer`]).

mod reader;
mod record;
mod topic;
mod writer;

pub use reader::Reader;
pub use record::{Value, key};
pub use writer::Writer;

use std::collections::BTreeMap;

/// A known tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Whose it is; empty where there is only one tenant.
    pub tenant: String,
    /// What the topic says of it.
    pub value: Value,
}

/// Every known tag, by the key of its record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    tags: BTreeMap<String, Known>,
}

impl Catalog {
    /// Takes one record in; one without a value (a tombstone) takes its tag out.
    ///
    /// # Errors
    /// In words, for the log: it is no record of this topic, and changed nothing.
    pub fn apply(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), String> {
        let key = key.ok_or("it has no key")?;
        let key = std::str::from_utf8(key).map_err(|error| format!("key: {error}"))?;
        // Some tools cannot write null.
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            self.tags.remove(key);
            return Ok(());
        };
        let value = Value::parse(value).map_err(|error| format!("key {key:?}: {error}"))?;
        let tenant = record::tenant(key, &value.tag)
            .ok_or_else(|| format!("key {key:?} does not end in its tag {:?}", value.tag))?
            .to_owned();
        self.tags.insert(key.to_owned(), Known { tenant, value });
        Ok(())
    }

    /// The tags of one tenant, in the order of their keys. Nobody is shown another tenant's.
    pub fn of<'a>(&'a self, tenant: &'a str) -> impl Iterator<Item = &'a Value> {
        self.tags.values().filter(move |known| known.tenant == tenant).map(|known| &known.value)
    }

    /// All of it, by the key of the record.
    pub fn all(&self) -> &BTreeMap<String, Known> {
        &self.tags
    }

    /// Number of tags, of all tenants.
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// Whether no tag is known.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn tags(catalog: &Catalog, tenant: &str) -> Vec<(String, u64)> {
        catalog.of(tenant).map(|value| (value.tag.clone(), value.links)).collect()
    }

    #[test]
    fn the_last_record_of_a_key_counts_and_a_tombstone_takes_it_out() {
        let mut catalog = Catalog::default();
        let rust = |links| format!(r#"{{"tag":"rust","label":"Rust","links":{links}}}"#);
        catalog.apply(Some(b"rust"), Some(rust(1).as_bytes())).unwrap();
        catalog.apply(Some(b"rust"), Some(rust(7).as_bytes())).unwrap();
        catalog.apply(Some(b"acme/rust"), Some(rust(3).as_bytes())).unwrap();
        assert_eq!(tags(&catalog, ""), [("rust".to_owned(), 7)]);
        assert_eq!(tags(&catalog, "acme"), [("rust".to_owned(), 3)]);
        catalog.apply(Some(b"rust"), None).unwrap();
        catalog.apply(Some(b"never there"), None).unwrap();
        assert_eq!((tags(&catalog, "").len(), tags(&catalog, "acme").len()), (0, 1));
    }

    #[test]
    fn a_broken_record_changes_nothing_and_says_what_it_is() {
        let mut catalog = Catalog::default();
        for (key, value, expected) in [
            (None, Some(&br#"{"tag":"a"}"#[..]), "no key"),
            (Some(&b"\xff"[..]), Some(b"{}"), "key: "),
            (Some(b"a"), Some(b"{"), "\"a\""),
            (Some(b"a"), Some(br#"{"label":"A"}"#), "tag"),
            (Some(b"a"), Some(br#"{"tag":"b"}"#), "does not end in its tag"),
            (Some(b"xa"), Some(br#"{"tag":"a"}"#), "does not end in its tag"),
        ] {
            let error = catalog.apply(key, value).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        assert!(catalog.is_empty());
    }
}
