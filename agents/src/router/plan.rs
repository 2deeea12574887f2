//! The registered routes, and the statements that ask their guards and maps.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio_postgres::{Client, Statement};

use super::letters::DEAD_LETTERED;
use crate::AgentError;

/// What `lifestream.routes` says.
fn registered_statement() -> String {
    format!(
        "SELECT r.event_type, r.work_type, r.max_attempts, (extract(epoch FROM r.backoff) * 1000)::int8, \
         g.call, m.call, r.payload_map IS NOT NULL, coalesce(g.trouble, m.trouble) \
         FROM lifestream.routes r CROSS JOIN LATERAL ({guard}) AS g CROSS JOIN LATERAL ({map}) AS m \
         ORDER BY r.event_type, r.work_type",
        guard = called("guard", "guard", "boolean"),
        map = called("payload_map", "payload map", "jsonb"),
    )
}

/// A function of a route. One that is gone, has become something else or may not be called by this role comes with its
/// trouble: in the one statement that serves all routes it would fail the others.
fn called(column: &str, role: &str, returns: &str) -> String {
    format!(
        "SELECT quote_ident(n.nspname) || '.' || quote_ident(f.proname) AS call, \
         CASE WHEN r.{column} IS NULL THEN NULL \
         WHEN f.oid IS NULL THEN format('{role} %s does not exist', r.{column}) \
         WHEN f.prokind <> 'f' OR f.proretset OR f.prorettype <> '{returns}'::regtype \
         THEN format('{role} %s is no function that returns {returns}', r.{column}) \
         WHEN NOT has_schema_privilege(n.oid, 'USAGE') OR NOT has_function_privilege(f.oid, 'EXECUTE') \
         THEN format('{role} %s may not be called by role %s', r.{column}, current_user) END AS trouble \
         FROM (SELECT to_regprocedure(r.{column} || '(lifestream.events)') AS oid) AS found \
         LEFT JOIN pg_catalog.pg_proc f ON f.oid = found.oid \
         LEFT JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace"
    )
}

/// What changes whenever a route is added, changed or dropped: cheap enough to ask before every batch, so that an event
/// emitted after `add_route` has returned is never routed without it.
const FINGERPRINT: &str = "\
SELECT coalesce(sum(hashtextextended(r::text, 0))::text, '') FROM lifestream.routes r";

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The events that it takes.
    pub event_type: String,
    /// The work that it makes of them.
    pub work_type: String,
    /// After so many failed attempts the work is a dead letter.
    pub max_attempts: u32,
    /// Wait before the second attempt, if not that of the settings.
    pub backoff: Option<Duration>,
    /// The guard, as it stands in a statement.
    guard: Option<String>,
    /// The payload map, as it stands in a statement.
    map: Option<String>,
    /// Whether the payload is another than the event's: also where the map is gone.
    pub maps: bool,
    /// Why neither can be asked, if so: its work becomes dead letters.
    pub trouble: Option<String>,
}

impl Route {
    /// Whether the database has to be asked at all.
    pub fn asks(&self) -> bool {
        self.guard.is_some() || self.map.is_some()
    }
}

/// The routes, ready to be asked on one connection.
pub struct Plan {
    fingerprint: String,
    /// Every route, in the order of their numbers, from 0.
    pub routes: Vec<Route>,
    by_event: HashMap<String, Vec<usize>>,
    /// `$1` places, `$2` numbers of routes, `$3` values of records; gives place, the guard's answer, the route, the map's payload.
    pub by_value: Statement,
    /// `$1` places, `$2` work types, `$3` ids of events, `$4` whether a payload is wanted; `$5`, `$6`, `$7` event type, work type and
    /// number of each route; `$8` whether the guard is asked; gives the same for the events that are there, with no route where none
    /// leads from such an event to the work.
    pub by_id: Statement,
}

impl Plan {
    /// Reads the routes and prepares their statements.
    ///
    /// # Errors
    /// As the database has it.
    pub async fn load(client: &Client) -> Result<Self, AgentError> {
        let fingerprint = client.query_one(FINGERPRINT, &[]).await?.try_get(0)?;
        let routes = registered(client).await?;
        let mut by_event: HashMap<String, Vec<usize>> = HashMap::new();
        for (number, route) in routes.iter().enumerate() {
            by_event.entry(route.event_type.clone()).or_default().push(number);
            if let Some(trouble) = &route.trouble {
                tracing::error!(
                    event_type = route.event_type,
                    work_type = route.work_type,
                    "{trouble}: the work that this route makes becomes dead letters"
                );
            }
        }
        let (guards, maps) =
            (cases(&routes, |route| route.guard.as_deref()), cases(&routes, |route| route.map.as_deref()));
        let by_value = client.prepare(&by_value(&guards, &maps)).await?;
        let by_id = client.prepare(&by_id(&guards, &maps)).await?;
        Ok(Self { fingerprint, routes, by_event, by_value, by_id })
    }

    /// Whether routes are registered differently now, or one that could not be asked can be. Another function that was
    /// replaced or dropped is not seen by this.
    ///
    /// # Errors
    /// As the database has it.
    pub async fn is_outdated(&self, client: &Client) -> Result<bool, AgentError> {
        let is_troubled = self.routes.iter().any(|route| route.trouble.is_some());
        Ok(client.query_one(FINGERPRINT, &[]).await?.try_get::<_, &str>(0)? != self.fingerprint
            || is_troubled && registered(client).await? != self.routes)
    }

    /// Whether routes or their functions are others now.
    ///
    /// # Errors
    /// As the database has it.
    pub async fn is_overtaken(&self, client: &Client) -> Result<bool, AgentError> {
        Ok(self.is_outdated(client).await? || registered(client).await? != self.routes)
    }

    /// Numbers of the routes that take events of this type.
    pub fn of_event(&self, event_type: &str) -> &[usize] {
        self.by_event.get(event_type).map_or(&[], Vec::as_slice)
    }

    /// Whether routes on dead letters make work of this type.
    pub fn is_of_letters(&self, work_type: &str) -> bool {
        self.of_event(DEAD_LETTERED).iter().any(|number| self.routes[*number].work_type == work_type)
    }

    /// The wait before the second attempt that a route asks for; of several into this work type the longest.
    pub fn backoff(&self, work_type: &str) -> Option<Duration> {
        self.routes.iter().filter(|route| route.work_type == work_type).filter_map(|route| route.backoff).max()
    }

    /// Whether any route makes work of this type.
    pub fn makes(&self, work_type: &str) -> bool {
        self.routes.iter().any(|route| route.work_type == work_type)
    }

    /// Every work type, once.
    pub fn work_types(&self) -> BTreeSet<&str> {
        self.routes.iter().map(|route| route.work_type.as_str()).collect()
    }
}

/// Every route, with what is wrong with its functions.
///
/// # Errors
/// As the database has it.
pub async fn registered(client: &Client) -> Result<Vec<Route>, AgentError> {
    let rows = client.query(&registered_statement(), &[]).await?;
    let mut routes: Vec<Route> = Vec::with_capacity(rows.len());
    for row in &rows {
        let attempts: i32 = row.try_get(2)?;
        let backoff: Option<i64> = row.try_get(3)?;
        routes.push(Route {
            event_type: row.try_get(0)?,
            work_type: row.try_get(1)?,
            max_attempts: u32::try_from(attempts).unwrap_or(1).max(1),
            backoff: backoff.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis),
            guard: row.try_get(4)?,
            map: row.try_get(5)?,
            maps: row.try_get(6)?,
            trouble: row.try_get(7)?,
        });
    }
    Ok(routes)
}

/// The branches of a CASE over the route's number: a route that cannot be asked has none.
fn cases<'a>(routes: &'a [Route], call: impl Fn(&'a Route) -> Option<&'a str>) -> Vec<(usize, &'a str)> {
    let asked = routes.iter().enumerate().filter(|(_, route)| route.trouble.is_none());
    asked.filter_map(|(number, route)| Some((number, call(route)?))).collect()
}

/// `OFFSET 0` keeps a row's event from being built anew for every use, and a guard from being asked twice. A guard that
/// gives NULL knows nothing: absent state means yes.
fn statement(rows: &str, guards: &[(usize, &str)], maps: &[(usize, &str)], otherwise: &str) -> String {
    let case = |calls: &[(usize, &str)], row: &str, suffix: &str, otherwise: &str| {
        let branches: String =
            calls.iter().map(|(number, call)| format!(" WHEN {number} THEN {call}({row}.e){suffix}")).collect();
        if branches.is_empty() {
            otherwise.to_owned()
        } else {
            format!("CASE {row}.route{branches} ELSE {otherwise} END")
        }
    };
    format!(
        "SELECT a.place, a.yes, a.route, CASE WHEN a.yes AND a.wanted THEN {map} END FROM (\
         SELECT r.place, r.route, r.wanted, r.e, CASE WHEN r.guarded THEN coalesce({guard}, true) ELSE true END AS yes FROM ({rows} OFFSET 0) AS r OFFSET 0) AS a",
        map = case(maps, "a", "::text", otherwise),
        guard = case(guards, "r", "", "true"),
    )
}

fn by_value(guards: &[(usize, &str)], maps: &[(usize, &str)]) -> String {
    let rows = "SELECT t.place, t.route, true AS wanted, true AS guarded, jsonb_populate_record(NULL::lifestream.events, t.value::jsonb) AS e \
                FROM unnest($1::int4[], $2::int4[], $3::text[]) AS t (place, route, value)";
    statement(rows, guards, maps, "NULL::text")
}

fn by_id(guards: &[(usize, &str)], maps: &[(usize, &str)]) -> String {
    // By way of JSON, for the table may have columns that its archive lacks.
    let rows = "SELECT t.place, n.route, t.wanted, t.guarded, jsonb_populate_record(NULL::lifestream.events, to_jsonb(x)) AS e \
                FROM unnest($1::int4[], $2::text[], $3::uuid[], $4::boolean[], $8::boolean[]) AS t (place, work_type, id, wanted, guarded) \
                JOIN lifestream.all_events x ON x.id = t.id \
                LEFT JOIN unnest($5::text[], $6::text[], $7::int4[]) AS n (event_type, work_type, route) \
                ON n.event_type = x.event_type AND n.work_type = t.work_type";
    statement(rows, guards, maps, "(a.e).payload::text")
}
