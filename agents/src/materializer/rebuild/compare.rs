//! What differs between state and shadows, and making the state what the shadows are.
//!
//! By content: only rows that differ are touched, and the tables stay what they are, with the views, privileges, policies, keys and
//! triggers that others have put to them. Rows are compared byte for byte (`*<>`, as REFRESH MATERIALIZED VIEW CONCURRENTLY does),
//! so that 1.0 and 1.00 differ.

use tokio_postgres::Client;

use super::error::RebuildError;
use super::shadows::Table;

/// How many differing rows are shown for each table.
const SHOWN: i64 = 5;

/// How a table differed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Its name.
    pub table: String,
    /// Rows that were missing.
    pub added: u64,
    /// Rows that were others.
    pub changed: u64,
    /// Rows that no event accounts for.
    pub removed: u64,
    /// Some of them: what is to be done, and which row.
    pub examples: Vec<(String, String)>,
    /// Columns that are not compared: their default tells something else each time.
    pub passed_over: Vec<String>,
}

impl Difference {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.added + self.changed + self.removed == 0
    }
}

/// A table with its differences in a temporary table.
pub struct Compared<'t> {
    table: &'t Table,
    name: String,
    /// How many there are.
    pub difference: Difference,
}

/// Compares, within the transaction at hand.
///
/// # Errors
/// As the database has it.
pub async fn compare<'t>(client: &Client, number: usize, table: &'t Table) -> Result<Compared<'t>, RebuildError> {
    let name = format!("pg_temp.lifestream_difference_{number}");
    let query = if table.key.is_empty() { by_row(table) } else { by_key(table) };
    client.batch_execute(&format!("CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS {query}")).await?;
    client.batch_execute(&format!("ANALYZE {name}")).await?;
    let counts = format!(
        "SELECT count(*) FILTER (WHERE lifestream_what = 'added'), count(*) FILTER (WHERE lifestream_what = 'changed'), \
                count(*) FILTER (WHERE lifestream_what = 'removed') FROM {name}"
    );
    let row = client.query_one(&counts, &[]).await?;
    let count = |at| row.try_get::<_, i64>(at).map(i64::cast_unsigned);
    let told = if table.key.is_empty() { "content".to_owned() } else { list(&table.key, ToOwned::to_owned) };
    let shown = format!("SELECT lifestream_what, left(concat_ws(', ', {told}), 200) FROM {name} LIMIT $1");
    let rows = client.query(&shown, &[&SHOWN]).await?;
    let examples =
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, tokio_postgres::Error>>()?;
    let difference = Difference {
        table: table.live.clone(),
        added: count(0)?,
        changed: count(1)?,
        removed: count(2)?,
        examples,
        passed_over: table.passed_over.clone(),
    };
    Ok(Compared { table, name, difference })
}

/// Rows that the primary key tells apart.
fn by_key(table: &Table) -> String {
    let (first, on) = (&table.key[0], list_with(&table.key, " AND ", |column| format!("l.{column} = s.{column}")));
    // As a value: between two ROW(...) the operator would be asked for column by column.
    let rows = |relation| {
        let of_table = |column: &str| format!("t.{column}");
        let (key, values) = (list(&table.key, of_table), list(&table.values, of_table));
        format!("(SELECT {key}, ROW({values}) AS lifestream_row FROM {relation} t)")
    };
    format!(
        "SELECT {}, CASE WHEN l.{first} IS NULL THEN 'added' WHEN s.{first} IS NULL THEN 'removed' ELSE 'changed' END AS lifestream_what \
         FROM {} l FULL JOIN {} s ON {on} \
         WHERE l.{first} IS NULL OR s.{first} IS NULL OR l.lifestream_row OPERATOR(pg_catalog.*<>) s.lifestream_row",
        list(&table.key, |column| format!("coalesce(l.{column}, s.{column}) AS {column}")),
        rows(&table.live),
        rows(&table.shadow)
    )
}

/// Rows that nothing tells apart but what they hold: of equal ones, the first is compared with the first, the second with the second.
fn by_row(table: &Table) -> String {
    let rows = |relation: &str| {
        let whole = list(&table.values, |column| format!("t.{column}"));
        format!(
            "(SELECT r.*, row_number() OVER (PARTITION BY r.content) AS nth \
              FROM (SELECT t.tableoid AS part, t.ctid AS place, ROW({whole})::text AS content FROM {relation} t) r)"
        )
    };
    format!(
        "SELECT coalesce(l.content, s.content) AS content, l.part, l.place, s.place AS shadow_place, \
                CASE WHEN l.content IS NULL THEN 'added' ELSE 'removed' END AS lifestream_what \
         FROM {} l FULL JOIN {} s ON l.content = s.content AND l.nth = s.nth WHERE l.content IS NULL OR s.content IS NULL",
        rows(&table.live),
        rows(&table.shadow)
    )
}

/// Makes the tables what the shadows are, within the transaction at hand; `compared` is in the order of what refers to what.
///
/// # Errors
/// As the database has it, or if somebody else writes to the state.
pub async fn swap(client: &Client, compared: &[Compared<'_>]) -> Result<(), RebuildError> {
    client.batch_execute("SET CONSTRAINTS ALL DEFERRED").await?;
    for Compared { table, name, difference } in compared.iter().rev() {
        let Table { live, key, .. } = table;
        let which = match key.is_empty() {
            true => "l.tableoid = d.part AND l.ctid = d.place".to_owned(),
            false => list_with(key, " AND ", |column| format!("l.{column} = d.{column}")),
        };
        let delete = format!("DELETE FROM {live} l USING {name} d WHERE d.lifestream_what = 'removed' AND {which}");
        execute(client, live, &delete, difference.removed).await?;
    }
    for Compared { table, name, difference } in compared {
        let Table { live, shadow, key, values, given, .. } = table;
        let which = match key.is_empty() {
            true => "s.ctid = d.shadow_place".to_owned(),
            false => list_with(key, " AND ", |column| format!("s.{column} = d.{column}")),
        };
        if difference.changed > 0 {
            let set = list(values, |column| format!("{column} = s.{column}"));
            let update = format!(
                "UPDATE {live} l SET {set} FROM {name} d JOIN {shadow} s ON {which} WHERE d.lifestream_what = 'changed' AND {}",
                list_with(key, " AND ", |column| format!("l.{column} = d.{column}"))
            );
            execute(client, live, &update, difference.changed).await?;
        }
        let insert = format!(
            "INSERT INTO {live} ({}) SELECT {} FROM {name} d JOIN {shadow} s ON {which} WHERE d.lifestream_what = 'added'",
            list(given, ToOwned::to_owned),
            list(given, |column| format!("s.{column}"))
        );
        execute(client, live, &insert, difference.added).await?;
    }
    // What a deferred constraint has to say, while there are words for it.
    Ok(client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await?)
}

async fn execute(client: &Client, table: &str, statement: &str, rows: u64) -> Result<(), RebuildError> {
    if rows == 0 {
        return Ok(());
    }
    match client.execute(statement, &[]).await? {
        done if done == rows => Ok(()),
        done => Err(RebuildError::Unfit(format!(
            "of {rows} rows of {table} that differ, {done} could be written: something else (a trigger, a rule, another session) \
             writes to it; nothing was changed"
        ))),
    }
}

fn list(columns: &[String], each: impl Fn(&str) -> String) -> String {
    list_with(columns, ", ", each)
}

fn list_with(columns: &[String], between: &str, each: impl Fn(&str) -> String) -> String {
    columns.iter().map(|column| each(column)).collect::<Vec<_>>().join(between)
}
