//! The shadows: temporary tables of the same names as the state's.
//!
//! Temporary, because a name without a schema finds them first, wherever else it would lead; because they cost no privilege but
//! TEMPORARY and no WAL; and because nothing of them is left when the session ends, however it ends.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Client;

use super::error::RebuildError;

/// A table and its shadow.
#[derive(Debug)]
pub struct Table {
    /// Its oid.
    pub oid: u32,
    /// Its name, with its schema, quoted.
    pub live: String,
    /// The shadow's name, quoted.
    pub shadow: String,
    /// By which its rows are told apart, where events decide it: quoted. Without such a key rows are compared whole.
    pub key: Vec<String>,
    /// The other columns that events decide, quoted.
    pub values: Vec<String>,
    /// What a row is made with: all but what the server itself makes.
    pub given: Vec<String>,
    /// Columns whose default tells something else each time; they are not compared.
    pub passed_over: Vec<String>,
}

/// In the order given.
const TABLES: &str = "\
SELECT t.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), 'pg_temp.' || quote_ident(c.relname)
FROM unnest($1::oid[]) WITH ORDINALITY AS t (oid, place)
LEFT JOIN (pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace) ON c.oid = t.oid
ORDER BY t.place";

/// Name, whether the server makes the value, whether its default is another each time, whether it belongs to the primary key.
const COLUMNS: &str = "\
SELECT quote_ident(a.attname), a.attidentity <> '' OR a.attgenerated <> '',
       coalesce(x.expression ~ '\\m(CURRENT_|LOCALTIME|SESSION_USER|USER)' OR EXISTS (
           SELECT FROM regexp_matches(x.expression, '([A-Za-z_][A-Za-z_0-9]*)\\(', 'g') AS m
           JOIN pg_catalog.pg_proc p ON p.proname = m[1] WHERE p.provolatile <> 'i'), false),
       coalesce(a.attnum = ANY (k.indkey), false)
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_index k ON k.indrelid = a.attrelid AND k.indisprimary
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated = '',
LATERAL (SELECT regexp_replace(pg_get_expr(d.adbin, d.adrelid), '''([^'']|'''')*''', '', 'g') AS expression) x
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/// Which table refers to which.
const REFERENCES: &str = "\
SELECT conrelid, confrelid FROM pg_catalog.pg_constraint
WHERE contype = 'f' AND conrelid = ANY ($1) AND confrelid = ANY ($1) AND conrelid <> confrelid";

/// Makes a shadow for each table, empty; those that others refer to come first.
///
/// # Errors
/// A table that is gone, two of the same name, a privilege that is missing.
pub async fn create(client: &Client, oids: &[u32]) -> Result<Vec<Table>, RebuildError> {
    let mut tables: Vec<Table> = Vec::new();
    for row in client.query(TABLES, &[&oids]).await? {
        let oid = row.try_get(0)?;
        let (Some(live), Some(shadow)) = (row.try_get::<_, Option<String>>(1)?, row.try_get::<_, Option<String>>(2)?)
        else {
            return Err(RebuildError::Unfit(format!(
                "a table of a projection is gone (oid {oid}): register the projection again with the tables that it writes"
            )));
        };
        if let Some(other) = tables.iter().find(|other| other.shadow == shadow) {
            return Err(RebuildError::Unfit(format!(
                "{live} and {} have the same name and cannot be rebuilt together: rebuild their projections one after the other",
                other.live
            )));
        }
        tables.push(columns(client, oid, live, shadow).await?);
    }
    for Table { live, shadow, .. } in &tables {
        client.batch_execute(&format!("CREATE TEMPORARY TABLE {shadow} (LIKE {live} INCLUDING ALL)")).await?;
    }
    let mut referred: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for row in client.query(REFERENCES, &[&oids]).await? {
        referred.entry(row.try_get(0)?).or_default().insert(row.try_get(1)?);
    }
    Ok(in_order(tables, &referred))
}

async fn columns(client: &Client, oid: u32, live: String, shadow: String) -> Result<Table, RebuildError> {
    let (mut key, mut values, mut given, mut passed_over) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut has_key = true;
    for row in client.query(COLUMNS, &[&oid]).await? {
        let name: String = row.try_get(0)?;
        let (made, changing, in_key): (bool, bool, bool) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        if !made {
            given.push(name.clone());
        }
        match (made || changing, in_key) {
            (true, in_key) => {
                has_key &= !in_key;
                passed_over.extend((!made).then_some(name));
            }
            (false, true) => key.push(name),
            (false, false) => values.push(name),
        }
    }
    if !has_key {
        values.splice(0..0, key.drain(..));
    }
    Ok(Table { oid, live, shadow, key, values, given, passed_over })
}

/// What is referred to before what refers to it; in a circle any order is as good.
fn in_order(mut tables: Vec<Table>, referred: &BTreeMap<u32, BTreeSet<u32>>) -> Vec<Table> {
    let mut ordered = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let waits = |table: &Table| {
            referred.get(&table.oid).is_some_and(|others| tables.iter().any(|other| others.contains(&other.oid)))
        };
        let next = tables.iter().position(|table| !waits(table)).unwrap_or(0);
        ordered.push(tables.remove(next));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_referred_to_comes_first_and_a_circle_ends() {
        let table = |oid| Table {
            oid,
            live: String::new(),
            shadow: String::new(),
            key: Vec::new(),
            values: Vec::new(),
            given: Vec::new(),
            passed_over: Vec::new(),
        };
        let order = |pairs: &[(u32, u32)]| {
            let mut referred: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
            for (from, to) in pairs {
                referred.entry(*from).or_default().insert(*to);
            }
            in_order([1, 2, 3].map(table).into(), &referred).iter().map(|table| table.oid).collect::<Vec<_>>()
        };
        assert_eq!(order(&[(1, 2), (2, 3)]), [3, 2, 1]);
        assert_eq!(order(&[(1, 2), (2, 1)]), [3, 1, 2]);
    }
}
