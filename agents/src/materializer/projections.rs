//! The registered projections, as the statements that apply a batch.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::join;
use tokio_postgres::{Client, Statement};

use super::error::MaterializerError;

/// What `lifestream.projections` says, resolved: one row for each event type and function. What follows the names, a rebuild alone needs.
/// A function that is gone, has become something else or may not be called by this role comes with its trouble: in the
/// statement that serves its whole schema it would fail the events of all the others.
pub const REGISTERED: &str = "\
SELECT p.event_type, n.nspname::text, f.proname::text,
       CASE WHEN f.oid IS NULL THEN 'does not exist'
            WHEN f.prokind <> 'f' OR f.proretset OR f.prorettype <> 'void'::regtype THEN 'is no function that returns void'
            WHEN NOT has_schema_privilege(n.oid, 'USAGE') OR NOT has_function_privilege(f.oid, 'EXECUTE')
            THEN 'may not be called by role ' || current_user END AS trouble,
       p.function, quote_ident(n.nspname) AS quoted_schema, quote_ident(f.proname) AS quoted_name,
       p.tables::oid[], f.xmin::text, (SELECT s FROM unnest(f.proconfig) AS s WHERE s LIKE 'search_path=%')
FROM lifestream.projections p
LEFT JOIN pg_catalog.pg_proc f ON f.oid = to_regprocedure(p.function || '(lifestream.events)')
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
ORDER BY p.event_type, NOT p.builtin, p.added_at, p.function";

/// What changes whenever a projection is added or dropped: cheap enough to ask in every batch's transaction, so that an
/// event emitted after `add_projection` has returned is never applied without it, whenever the notification arrives.
pub const FINGERPRINT: &str = "\
SELECT coalesce(sum(hashtextextended(event_type || ' ' || function, 0))::text, '') FROM lifestream.projections";

/// One registered projection.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Registered {
    event_type: String,
    schema: String,
    call: String,
    trouble: Option<String>,
}

/// How to apply events, ready to run on one connection.
pub struct Plan {
    /// The answer to [`FINGERPRINT`] before the projections were read.
    pub fingerprint: String,
    registered: Vec<Registered>,
    /// Event types whose projection cannot be called, with the reason: their events park.
    broken: HashMap<String, String>,
    /// One for each schema that has functions, `lifestream` first.
    steps: Vec<Step>,
}

/// Every projection in one schema. They share a search path, so one statement serves them all.
struct Step {
    /// Sets the search path for the transaction: the functions' own schema, then `lifestream`.
    search_path: String,
    /// `$1` numbers of event types, `$2` record values: calls the functions in the order of the rows.
    statement: Statement,
    /// The number of each event type that has a projection here.
    numbers: HashMap<String, i32>,
}

impl Plan {
    /// Reads the projections and prepares their statements.
    ///
    /// # Errors
    /// As the database has it.
    pub async fn load(client: &Client) -> Result<Self, MaterializerError> {
        let fingerprint = client.query_one(FINGERPRINT, &[]).await?.try_get(0)?;
        let registered = registered(client).await?;
        let mut broken = HashMap::new();
        let mut schemas: BTreeMap<(bool, &str), BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
        for projection in &registered {
            if let Some(trouble) = &projection.trouble {
                tracing::error!(event_type = projection.event_type, "projection {trouble}: its events park");
                broken.insert(projection.event_type.clone(), format!("projection {trouble}"));
                continue;
            }
            let schema = (projection.schema != "lifestream", projection.schema.as_str());
            schemas.entry(schema).or_default().entry(&projection.event_type).or_default().push(&projection.call);
        }
        let mut steps = Vec::new();
        for ((_, schema), types) in schemas {
            let search_path = match schema {
                "lifestream" => "SET LOCAL search_path TO lifestream, pg_temp".to_owned(),
                other => format!("SET LOCAL search_path TO {other}, lifestream, pg_temp"),
            };
            let statement = client.prepare(&apply_statement(types.values())).await?;
            let numbers =
                types.keys().zip(1..).map(|(event_type, number)| ((*event_type).to_owned(), number)).collect();
            steps.push(Step { search_path, statement, numbers });
        }
        Ok(Self { fingerprint, registered, broken, steps })
    }

    /// Whether the projections are registered differently now.
    ///
    /// # Errors
    /// As the database has it.
    pub async fn is_outdated(&self, client: &Client) -> Result<bool, MaterializerError> {
        let fingerprint: String = client.query_one(FINGERPRINT, &[]).await?.try_get(0)?;
        Ok(fingerprint != self.fingerprint || registered(client).await? != self.registered)
    }

    /// Why events of this type cannot be applied, if so.
    pub fn trouble(&self, event_type: &str) -> Option<&str> {
        if self.broken.is_empty() { None } else { self.broken.get(event_type).map(String::as_str) }
    }

    /// Applies events, given as type and record value, in order within the transaction at hand.
    ///
    /// # Errors
    /// [`MaterializerError::Projection`], as a projection or the database has it.
    pub async fn apply(&self, client: &Client, events: &[(&str, &str)]) -> Result<(), MaterializerError> {
        for step in &self.steps {
            let (mut numbers, mut values) = (Vec::new(), Vec::new());
            for (event_type, value) in events {
                if let Some(number) = step.numbers.get(*event_type) {
                    numbers.push(*number);
                    values.push(*value);
                }
            }
            if !numbers.is_empty() {
                // Sent together, in this order.
                let (set, apply) = join(
                    client.batch_execute(&step.search_path),
                    client.execute(&step.statement, &[&numbers, &values]),
                )
                .await;
                set?;
                apply.map_err(MaterializerError::Projection)?;
            }
        }
        Ok(())
    }
}

async fn registered(client: &Client) -> Result<Vec<Registered>, MaterializerError> {
    let rows = client.query(REGISTERED, &[]).await?;
    let mut registered = Vec::with_capacity(rows.len());
    for row in &rows {
        let trouble: Option<String> = row.try_get(3)?;
        let name: String = row.try_get(4)?;
        let schema: Option<String> = row.try_get(5)?;
        let function: Option<String> = row.try_get(6)?;
        registered.push(Registered {
            event_type: row.try_get(0)?,
            trouble: trouble.map(|trouble| format!("{name} {trouble}")),
            call: format!("{}.{}", schema.as_deref().unwrap_or_default(), function.as_deref().unwrap_or_default()),
            schema: schema.unwrap_or_default(),
        });
    }
    Ok(registered)
}

fn apply_statement<'a>(types: impl Iterator<Item = &'a Vec<&'a str>>) -> String {
    calling(
        types,
        "r.number",
        "r.e",
        "SELECT t.number, jsonb_populate_record(NULL::lifestream.events, t.value::jsonb) AS e \
         FROM unnest($1::int4[], $2::text[]) AS t (number, value)",
    )
}

/// A statement that calls functions for each row of a query, in its order: `number` says which type's (from 1), `event` is
/// what they are given.
///
/// The outer count asks for each row's result, so that no call can be optimised away; `OFFSET 0` keeps a row's event
/// from being built anew for every use. `num_nulls` takes any number of void results and calls every function.
pub fn calling<'a>(types: impl Iterator<Item = &'a Vec<&'a str>>, number: &str, event: &str, rows: &str) -> String {
    let mut cases = String::new();
    for (calls, number) in types.zip(1..) {
        let calls: Vec<_> = calls.iter().map(|call| format!("{call}({event})")).collect();
        cases.push_str(&format!(" WHEN {number} THEN num_nulls({})", calls.join(", ")));
    }
    format!(
        "SELECT count(applied.done) FROM (SELECT CASE {number}{cases} END AS done FROM ({rows} OFFSET 0) AS r OFFSET 0) AS applied"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_functions_of_a_type_are_all_called() {
        let types = [vec!["a.f"], vec!["a.g", "a.h"]];
        let statement = apply_statement(types.iter());
        assert!(
            statement.contains(
                "CASE r.number WHEN 1 THEN num_nulls(a.f(r.e)) WHEN 2 THEN num_nulls(a.g(r.e), a.h(r.e)) END"
            )
        );
    }
}
