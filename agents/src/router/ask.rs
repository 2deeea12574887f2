//! Asking the guards and maps of a batch, set-based, so that one that raises fails its own question only.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use lifestream_envelope::backoff;
use serde_json::value::RawValue;
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::plan::{Plan, Route};
use crate::AgentError;
use crate::materializer::{Fault, describe, fault_of};

/// How often a lone question is asked, with a growing wait, when its error may pass, before its work is a dead letter.
const TRIES: u32 = 3;

/// Of a batch, one route may take so many times the limit of a statement (a minute, as a rule) for questions that fail. After that
/// each of its questions is asked by itself, and answered soon or not at all; when that has taken as long again, the rest of them
/// are dead letters unasked: other routes wait for this one.
const BUDGET: u32 = 3;
/// Where there is no limit.
const LIMIT: Duration = Duration::from_secs(20);
/// A question that is asked by itself is answered within the statement's limit divided by this...
const SOONER: u32 = 80;
/// ... or within this, which is long for a question about one subject.
const SOON: Duration = Duration::from_millis(100);

const NO_PAYLOAD: &str = "its payload was left out, and no route leads from its event to such work any more";

/// What a route says about an event.
#[derive(Debug)]
pub enum Answer {
    /// The work need not be done.
    No,
    /// It needs doing; with the payload that the map gives, where one was asked for.
    Yes(Option<Box<RawValue>>),
    /// Guard or map raised, or gave no JSON object.
    Broken(String),
    /// The event is not there (any more).
    Unknown,
}

/// An event as it stands in a record, and the route that takes it.
pub struct ByValue<'a> {
    /// Number of the route.
    pub route: usize,
    /// The record's value.
    pub value: &'a str,
}

/// An event by its id, and the work that comes of it.
pub struct ById<'a> {
    /// The work type, which tells the route.
    pub work_type: &'a str,
    /// The event.
    pub event_id: Uuid,
    /// Whether the payload is asked for: what the route's map gives, or the event's own where it has none.
    pub payload: bool,
    /// Whether the guard is asked: without it, the work needs doing.
    pub guarded: bool,
}

/// What is asked in one statement.
enum Questions<'a> {
    Values(&'a [ByValue<'a>]),
    Ids(&'a [ById<'a>]),
}

impl Questions<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Values(list) => list.len(),
            Self::Ids(list) => list.len(),
        }
    }

    /// The order to ask in: of a route that raises for every event the questions stand together, and are found together.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        match self {
            Self::Values(list) => order.sort_by_key(|place| list[*place].route),
            Self::Ids(list) => order.sort_by_key(|place| list[*place].work_type),
        }
        order
    }

    /// Questions of one route (or into one work type) share its budget.
    fn route(&self, place: usize) -> Asked<'_> {
        match self {
            Self::Values(list) => Asked::Route(list[place].route),
            Self::Ids(list) => Asked::Into(list[place].work_type),
        }
    }

    fn work_type<'p>(&'p self, plan: &'p Plan, place: usize) -> &'p str {
        match self {
            Self::Values(list) => plan.routes.get(list[place].route).map_or("", |route| &route.work_type),
            Self::Ids(list) => list[place].work_type,
        }
    }

    fn wants_payload(&self, plan: &Plan, place: usize) -> bool {
        match self {
            Self::Values(list) => plan.routes.get(list[place].route).is_some_and(|route| route.maps),
            Self::Ids(list) => list[place].payload,
        }
    }

    async fn ask(&self, client: &Client, plan: &Plan, places: &[usize]) -> Result<Vec<Row>, tokio_postgres::Error> {
        let numbers: Vec<i32> = places.iter().copied().map(number).collect();
        match self {
            Self::Values(list) => {
                let routes: Vec<i32> = places.iter().map(|place| number(list[*place].route)).collect();
                let values: Vec<&str> = places.iter().map(|place| list[*place].value).collect();
                client.query(&plan.by_value, &[&numbers, &routes, &values]).await
            }
            Self::Ids(list) => {
                let wanted: Vec<&str> = places.iter().map(|place| list[*place].work_type).collect();
                let ids: Vec<Uuid> = places.iter().map(|place| list[*place].event_id).collect();
                let payloads: Vec<bool> = places.iter().map(|place| list[*place].payload).collect();
                let event_types: Vec<&str> = plan.routes.iter().map(|route| route.event_type.as_str()).collect();
                let work_types: Vec<&str> = plan.routes.iter().map(|route| route.work_type.as_str()).collect();
                let routes: Vec<i32> = (0..plan.routes.len()).map(number).collect();
                let guarded: Vec<bool> = places.iter().map(|place| list[*place].guarded).collect();
                let parameters: [&(dyn ToSql + Sync); 8] =
                    [&numbers, &wanted, &ids, &payloads, &event_types, &work_types, &routes, &guarded];
                client.query(&plan.by_id, &parameters).await
            }
        }
    }
}

/// Who has a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Asked<'a> {
    Route(usize),
    Into(&'a str),
}

/// How long failing questions have taken, and how long any may take.
struct Budget<'c> {
    client: &'c Client,
    /// Of a statement; found out when first needed.
    limit: Option<Duration>,
    /// Whether statements are held to the short limit now.
    short: bool,
}

impl Budget<'_> {
    async fn limit(&mut self) -> Result<Duration, tokio_postgres::Error> {
        const ASK: &str = "SELECT setting::int8 FROM pg_catalog.pg_settings WHERE name = 'statement_timeout'";
        if let Some(limit) = self.limit {
            return Ok(limit);
        }
        let millis: i64 = self.client.query_one(ASK, &[]).await?.try_get(0)?;
        let limit = u64::try_from(millis).ok().filter(|millis| *millis > 0).map_or(LIMIT, Duration::from_millis);
        self.limit = Some(limit);
        Ok(limit)
    }

    /// Holds statements to the short limit, or to their own again.
    async fn set(&mut self, short: bool) -> Result<(), tokio_postgres::Error> {
        if self.short == short {
            return Ok(());
        }
        let limit = self.limit().await?;
        let limit = if short { (limit / SOONER).max(SOON).min(limit) } else { limit };
        self.client.batch_execute(&format!("SET statement_timeout = {}", limit.as_millis())).await?;
        self.short = short;
        Ok(())
    }
}

/// Asks about records; gives the answers in their order.
///
/// # Errors
/// What is not a question's own fault, or was one when told to stop: nothing was decided.
pub async fn by_value(
    client: &Client,
    plan: &Plan,
    questions: &[ByValue<'_>],
    shutdown: &CancellationToken,
) -> Result<Vec<Answer>, AgentError> {
    halving(client, plan, &Questions::Values(questions), shutdown).await
}

/// Asks about events that are named by their ids; gives the answers in their order.
///
/// # Errors
/// As [`by_value`].
pub async fn by_id(
    client: &Client,
    plan: &Plan,
    questions: &[ById<'_>],
    shutdown: &CancellationToken,
) -> Result<Vec<Answer>, AgentError> {
    halving(client, plan, &Questions::Ids(questions), shutdown).await
}

/// Asks all at once; when that fails, halves until the question that fails is alone.
async fn halving(
    client: &Client,
    plan: &Plan,
    questions: &Questions<'_>,
    shutdown: &CancellationToken,
) -> Result<Vec<Answer>, AgentError> {
    let mut budget = Budget { client, limit: None, short: false };
    let answers = ask_within(client, plan, questions, &mut budget, shutdown).await;
    // On a connection that is gone there is nothing to put back.
    let put_back = budget.set(false).await;
    let answers = answers?;
    put_back?;
    Ok(answers)
}

async fn ask_within(
    client: &Client,
    plan: &Plan,
    questions: &Questions<'_>,
    budget: &mut Budget<'_>,
    shutdown: &CancellationToken,
) -> Result<Vec<Answer>, AgentError> {
    let order = questions.order();
    let mut answers: Vec<Answer> = order.iter().map(|_| Answer::Unknown).collect();
    // Ranges still to ask, the next one last.
    let mut ranges = if order.is_empty() { Vec::new() } else { vec![(0, order.len())] };
    let (mut tries, mut waits) = (0, backoff::forever());
    // What did not pass is waited for once, not for each event of the batch.
    let mut lasting: HashSet<(&str, String)> = HashSet::new();
    let mut spent: HashMap<Asked<'_>, Duration> = HashMap::new();
    while let Some((from, to)) = ranges.pop() {
        let route = questions.route(order[from]);
        let taken = spent.get(&route).copied().unwrap_or_default();
        let allowed = if taken.is_zero() { Duration::MAX } else { budget.limit().await?.saturating_mul(BUDGET) };
        if taken >= allowed.saturating_mul(2) {
            let error =
                format!("not asked: others of this batch that its route was asked about took {taken:.0?} and failed");
            answers[order[from]] = Answer::Broken(error);
            // The range may hold questions of other routes.
            if to - from > 1 {
                ranges.push((from + 1, to));
            }
            continue;
        }
        let alone = taken >= allowed;
        if alone && to - from > 1 {
            ranges.push((from + 1, to));
            ranges.push((from, from + 1));
            continue;
        }
        budget.set(alone).await?;
        let begun = Instant::now();
        let error = match questions.ask(client, plan, &order[from..to]).await {
            Ok(rows) => {
                for row in &rows {
                    take(row, plan, &mut answers, |place| questions.wants_payload(plan, place))?;
                }
                tries = 0;
                continue;
            }
            Err(error) => error,
        };
        if !is_of_question(client, &error) || shutdown.is_cancelled() {
            return Err(error.into());
        }
        let changes = |at: &usize| questions.route(order[*at]) != questions.route(order[at - 1]);
        let mut bounds: Vec<usize> = (from + 1..to).filter(changes).collect();
        if !bounds.is_empty() {
            // Whose doing it is shows when each route is asked by itself.
            bounds.insert(0, from);
            bounds.push(to);
            ranges.extend(bounds.windows(2).rev().map(|bounds| (bounds[0], bounds[1])));
            continue;
        }
        *spent.entry(route).or_default() += begun.elapsed();
        if to - from > 1 {
            let middle = from + (to - from) / 2;
            ranges.push((middle, to));
            ranges.push((from, middle));
            continue;
        }
        let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
        let trouble = (questions.work_type(plan, order[from]), code);
        let may_pass = !alone && fault_of(error.code()) != Fault::Event && !lasting.contains(&trouble);
        if may_pass && tries + 1 < TRIES {
            if tries == 0 {
                waits = backoff::forever();
            }
            tries += 1;
            ranges.push((from, to));
            tokio::select! {
                () = tokio::time::sleep(waits.next().unwrap_or_default()) => {}
                () = shutdown.cancelled() => return Err(error.into()),
            }
            continue;
        }
        // A function has gone or changed meanwhile: the routes are to be read again.
        if plan.is_overtaken(client).await? {
            return Err(error.into());
        }
        answers[order[from]] = Answer::Broken(describe(&error));
        if may_pass {
            lasting.insert(trouble);
        }
        tries = 0;
    }
    Ok(answers)
}

/// Whether the server has answered and goes on, on this connection: whatever the error is called, as a guard may raise any,
/// it is then about what was asked. A shutdown or a crash ends the session.
fn is_of_question(client: &Client, error: &tokio_postgres::Error) -> bool {
    let severity = error.as_db_error().and_then(DbError::parsed_severity);
    severity == Some(Severity::Error) && !client.is_closed()
}

fn take(
    row: &Row,
    plan: &Plan,
    answers: &mut [Answer],
    wants_payload: impl Fn(usize) -> bool,
) -> Result<(), AgentError> {
    let (place, yes, route): (i32, bool, Option<i32>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let place = usize::try_from(place).unwrap_or(usize::MAX);
    let Some(answer) = answers.get_mut(place) else { return Ok(()) };
    let route = route.and_then(|number| plan.routes.get(usize::try_from(number).ok()?));
    *answer = match (route, wants_payload(place)) {
        _ if !yes => Answer::No,
        (Some(Route { trouble: Some(trouble), .. }), _) => Answer::Broken(trouble.clone()),
        (_, false) => Answer::Yes(None),
        (Some(_), true) => object(row.try_get(3)?),
        // A map may have made another of the event's own.
        (None, true) => Answer::Broken(NO_PAYLOAD.to_owned()),
    };
    Ok(())
}

fn object(payload: Option<String>) -> Answer {
    let Some(payload) = payload else {
        return Answer::Broken("the payload map gave NULL: a work message's payload is a JSON object".to_owned());
    };
    match RawValue::from_string(payload) {
        Ok(payload) if payload.get().starts_with('{') => Answer::Yes(Some(payload)),
        Ok(payload) => {
            let shown: String = payload.get().chars().take(200).collect();
            Answer::Broken(format!("the payload map gave {shown}: a work message's payload is a JSON object"))
        }
        Err(error) => Answer::Broken(format!("the payload map gave no JSON: {error}")),
    }
}

fn number(place: usize) -> i32 {
    i32::try_from(place).unwrap_or(i32::MAX)
}
