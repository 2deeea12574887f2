//! What `doctor` looks at of work: routes, hosts that are paused, and what waits for a person or for a part that does not run.

use jiff::Timestamp;
use lifestream_agents::router::Route;
use lifestream_agents::runner;
use tokio_postgres::Client;

use super::Check;
use super::postgres::Found;
use crate::commands::status;
use crate::table::{age, first_line};

/// A retry is sent within seconds of its time.
const OVERDUE_SECONDS: f64 = 60.0;

/// Every route can ask its functions.
pub fn routes(routes: &[Route]) -> Vec<Check> {
    const NAME: &str = "routes";
    let broken: Vec<Check> = routes
        .iter()
        .filter_map(|route| {
            let trouble = route.trouble.as_deref()?;
            let (event_type, work_type) = (&route.event_type, &route.work_type);
            Some(Check::wrong(
                NAME,
                format!("{event_type} to {work_type}: {trouble}; its work becomes dead letters"),
                format!("put the function right, or SELECT lifestream.drop_route('{event_type}', '{work_type}')"),
            ))
        })
        .collect();
    if broken.is_empty() { vec![Check::ok(NAME, format!("{}, with their functions", routes.len()))] } else { broken }
}

/// Hosts and APIs that agents wait for.
pub async fn circuits(client: &Client) -> Found {
    const NAME: &str = "circuits";
    let now = Timestamp::now();
    let mut checks: Vec<Check> = status::circuits(client)
        .await?
        .iter()
        .filter(|circuit| circuit.state != "slow")
        .map(|circuit| {
            let again = circuit.until.map(|until| age(until.duration_since(now).as_secs_f64()));
            let (lane, group) = (&circuit.lane, &circuit.consumer_group);
            let error = circuit.last_error.as_deref().map_or("no error given", first_line);
            if lane == runner::STATE {
                let fix = "give the role what it lacks, or start the materializer; the work waits, and loses no attempt by it";
                return Check::wrong(NAME, format!("{group} waits for the state: {error}"), fix);
            }
            let again = again.map(|again| format!(", tried again in {again}")).unwrap_or_default();
            Check::note(
                NAME,
                format!("{group} leaves {lane} alone ({}{again}): {error}", circuit.state),
                "its work waits and is done once it answers; see what the error says of it",
            )
        })
        .collect();
    if checks.is_empty() {
        checks.push(Check::ok(NAME, "no host or API is paused"));
    }
    Ok(checks)
}

/// Dead letters about which nobody has decided.
pub async fn dead_letters(client: &Client) -> Found {
    const NAME: &str = "dead letters";
    let row = client
        .query_one(
            "SELECT count(*), extract(epoch FROM now() - min(failed_at))::double precision \
             FROM lifestream.dead_letters WHERE status = 'open'",
            &[],
        )
        .await?;
    let (count, oldest): (i64, Option<f64>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(vec![if count == 0 {
        Check::ok(NAME, "none waits for a decision")
    } else {
        Check::note(
            NAME,
            format!("{count} wait for a decision, the oldest for {}", age(oldest.unwrap_or_default())),
            "lifestream dlq list, then lifestream dlq retry or discard",
        )
    }])
}

/// Work whose time has come and that nobody sends.
pub async fn retries(client: &Client) -> Found {
    const NAME: &str = "retries";
    let row = client
        .query_one(
            "SELECT count(*), count(*) FILTER (WHERE late > $1), max(late) \
             FROM (SELECT extract(epoch FROM now() - not_before)::double precision AS late FROM lifestream.pending_retries) r",
            &[&OVERDUE_SECONDS],
        )
        .await?;
    let (count, overdue, late): (i64, i64, Option<f64>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(vec![if overdue == 0 {
        Check::ok(NAME, format!("{count} wait for their time, none is overdue"))
    } else {
        Check::note(
            NAME,
            format!("{overdue} of {count} are overdue, the first for {}", age(late.unwrap_or_default())),
            "lifestream router, or lifestream up, sends them; if it runs, its log says what is in the way",
        )
    }])
}

/// Events that were refused.
pub async fn parked(client: &Client) -> Found {
    const NAME: &str = "parked";
    let row = client
        .query_one(
            "SELECT count(*), (SELECT p.error FROM lifestream.parked p WHERE p.behind IS NULL ORDER BY p.id DESC LIMIT 1) \
             FROM lifestream.parked",
            &[],
        )
        .await?;
    let (count, error): (i64, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(vec![match error {
        Some(error) => Check::note(
            NAME,
            format!("{count} events are set aside; the last refusal: {}", first_line(&error)),
            "`lifestream parked list` shows them, and `lifestream parked retry` has them tried again, or `discard` puts them away",
        ),
        None => Check::ok(NAME, "no event is set aside"),
    }])
}
