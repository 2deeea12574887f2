//! What is rebuilt together: the projections that were asked for, and all that share a table with them.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Client;

use super::error::RebuildError;
use crate::materializer::projections::REGISTERED;

/// A registered projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    /// Of which events.
    pub event_type: String,
    /// The function's name as it is registered.
    pub function: String,
    /// The function's schema, and the schema-qualified name, both quoted.
    pub schema: String,
    /// The name to call it by.
    pub call: String,
    /// The tables that it writes.
    pub tables: Vec<u32>,
    /// Why it cannot be rebuilt.
    trouble: Option<String>,
    /// Changes with the function.
    version: Option<String>,
}

/// What is rebuilt.
#[derive(Debug, PartialEq, Eq)]
pub struct Scope {
    /// In the order in which the materializer calls them.
    pub projections: Vec<Projection>,
    /// Projections that a rebuild cannot reach, for they name no tables: asked for all, it leaves them out.
    pub without_tables: Vec<String>,
    /// Whether there is no other projection.
    pub is_all: bool,
}

impl Scope {
    /// Finds `what`: a function, an event type, or `all`.
    ///
    /// # Errors
    /// Nothing of that name, or a projection that cannot be rebuilt.
    pub async fn find(client: &Client, what: &str) -> Result<Self, RebuildError> {
        let registered = registered(client).await?;
        let scope = choose(registered, what).map_err(RebuildError::Unfit)?;
        if let Some(trouble) = scope.projections.iter().find_map(|projection| projection.trouble.as_ref()) {
            return Err(RebuildError::Unfit(trouble.clone()));
        }
        Ok(scope)
    }

    /// Every table, once.
    pub fn tables(&self) -> Vec<u32> {
        self.projections
            .iter()
            .flat_map(|projection| &projection.tables)
            .copied()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    /// Names for people, each once.
    pub fn names(&self) -> Vec<String> {
        self.projections
            .iter()
            .map(|projection| projection.function.clone())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    /// For each schema, `lifestream` first: each event type's functions, as the materializer calls them.
    pub fn by_schema(&self) -> BTreeMap<(bool, &str), BTreeMap<&str, Vec<&str>>> {
        let mut schemas: BTreeMap<_, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
        for projection in &self.projections {
            let schema = (projection.schema != "lifestream", projection.schema.as_str());
            schemas.entry(schema).or_default().entry(&projection.event_type).or_default().push(&projection.call);
        }
        schemas
    }
}

/// The chosen ones, and what shares a table with them, directly or by way of others.
fn choose(registered: Vec<Projection>, what: &str) -> Result<Scope, String> {
    let is_named = |projection: &Projection| {
        let bare = projection.function.rsplit('.').next().unwrap_or_default();
        [projection.event_type.as_str(), projection.function.as_str(), bare].contains(&what)
    };
    let mut tables: BTreeSet<u32> = BTreeSet::new();
    let mut without_tables = BTreeSet::new();
    let mut found = false;
    for projection in registered.iter().filter(|projection| what == "all" || is_named(projection)) {
        found = true;
        tables.extend(&projection.tables);
        if projection.tables.is_empty() {
            without_tables.insert(projection.function.clone());
        }
    }
    if !found {
        let known: BTreeSet<_> = registered.iter().map(|projection| projection.function.as_str()).collect();
        let known: Vec<_> = known.into_iter().collect();
        return Err(format!("no projection {what:?}: there are all, {}; or the type of an event", known.join(", ")));
    }
    if let Some(function) = without_tables.first().filter(|_| what != "all" || tables.is_empty()) {
        return Err(format!(
            "projection {function} names no tables that it writes, so there is nothing to rebuild: register it again with them, \
             SELECT lifestream.add_projection('<event type>', '{function}', '{{<table>,...}}')"
        ));
    }
    loop {
        let known = tables.len();
        for projection in &registered {
            if projection.tables.iter().any(|table| tables.contains(table)) {
                tables.extend(&projection.tables);
            }
        }
        if tables.len() == known {
            break;
        }
    }
    let count = registered.len();
    let projections: Vec<_> = registered
        .into_iter()
        .filter(|projection| projection.tables.iter().any(|table| tables.contains(table)))
        .collect();
    let is_all = projections.len() == count;
    Ok(Scope { projections, without_tables: without_tables.into_iter().collect(), is_all })
}

async fn registered(client: &Client) -> Result<Vec<Projection>, RebuildError> {
    let mut registered = Vec::new();
    for row in client.query(REGISTERED, &[]).await? {
        let function: String = row.try_get(4)?;
        let schema = row.try_get::<_, Option<String>>(5)?.unwrap_or_default();
        let name = row.try_get::<_, Option<String>>(6)?.unwrap_or_default();
        let trouble = match (row.try_get::<_, Option<String>>(3)?, row.try_get::<_, Option<String>>(9)?) {
            (Some(trouble), _) => Some(format!(
                "projection {function} {trouble} (members of lifestream_admin may call the built-in ones)"
            )),
            (None, Some(path)) => Some(format!(
                "projection {function} sets its own {path}: a rebuild cannot point it at shadow tables; \
                 ALTER FUNCTION {function}(lifestream.events) RESET search_path lets it"
            )),
            (None, None) => None,
        };
        registered.push(Projection {
            event_type: row.try_get(0)?,
            call: format!("{schema}.{name}"),
            schema,
            tables: row.try_get(7)?,
            version: row.try_get(8)?,
            function,
            trouble,
        });
    }
    Ok(registered)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn projection(event_type: &str, function: &str, tables: &[u32]) -> Projection {
        let (schema, _) = function.split_once('.').unwrap();
        Projection {
            event_type: event_type.to_owned(),
            function: function.to_owned(),
            schema: schema.to_owned(),
            call: function.to_owned(),
            tables: tables.to_vec(),
            trouble: None,
            version: None,
        }
    }

    fn chosen(what: &str) -> Result<Vec<String>, String> {
        let registered = vec![
            projection("a.one", "s.f", &[1, 2]),
            projection("a.two", "s.g", &[2, 3]),
            projection("a.three", "t.h", &[3]),
            projection("a.four", "t.alone", &[9]),
            projection("a.five", "t.nothing", &[]),
        ];
        choose(registered, what).map(|scope| scope.names())
    }

    #[test]
    fn what_shares_a_table_is_rebuilt_together() {
        assert_eq!(chosen("h").unwrap(), ["s.f", "s.g", "t.h"]);
        assert_eq!(chosen("a.one").unwrap(), ["s.f", "s.g", "t.h"]);
        assert_eq!(chosen("t.alone").unwrap(), ["t.alone"]);
        assert_eq!(chosen("all").unwrap().len(), 4);
        assert!(chosen("t.nothing").unwrap_err().contains("names no tables"));
        assert!(chosen("nobody").unwrap_err().contains("s.f, s.g, t.alone"));
    }
}
