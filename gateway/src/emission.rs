//! Recording: one transaction for a request.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::{RawValue, to_raw_value};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, IsolationLevel, Transaction};
use uuid::Uuid;

use crate::idempotency::{EVENT_HEADER, Key};
use crate::pool::{self, Pool};
use crate::problem::{Kind, Problem};
use crate::{refusal, scope};

/// An event by the argument names of `emit_event`. Values stay the text that they are, so that numbers keep every digit.
pub type Members = BTreeMap<String, Box<RawValue>>;

/// Beyond the limits of the session itself: a server that has gone silent.
const LONGEST: Duration = Duration::from_secs(15);

/// What is to be recorded.
#[derive(Debug)]
pub struct Order {
    /// In this order.
    pub events: Vec<Members>,
    /// The links among their subjects.
    pub links: Vec<LinkId>,
    /// Whether the caller sent an array, and can make something of an element's number.
    pub many: bool,
    /// The request's key.
    pub key: Option<Key>,
}

/// A `subject_id` that is derived from a link's URL and tenant, as only the database does it.
#[derive(Debug)]
pub struct LinkId {
    /// Of the event, from 0.
    pub number: usize,
    /// The link's.
    pub url: String,
    /// Whose link it is.
    pub tenant: String,
    /// What the event names, which must be this one; `None`: the event gets it.
    pub given: Option<String>,
}

/// What was recorded.
#[derive(Debug, PartialEq, Eq)]
pub struct Recorded {
    /// In the order of the events.
    pub ids: Vec<Uuid>,
    /// Of a link.
    pub subject_id: Option<String>,
    /// The same request had been recorded before.
    pub replayed: bool,
}

impl Order {
    /// Gives every event its id. With an id, trying again after a lost connection is harmless.
    ///
    /// # Errors
    /// An event has an id already, and the request a key: two answers to what a repeat is.
    pub fn identify(&mut self) -> Result<(), Problem> {
        for (number, event) in self.events.iter_mut().enumerate() {
            let given = event.get("id").is_some_and(|id| id.get() != "null");
            let id = match &self.key {
                Some(_) if given => {
                    let problem = Problem::new(Kind::Invalid, "an event with an id came with an Idempotency-Key")
                        .hint("Give one of them: each makes a repeat harmless.");
                    return Err(problem.pointer(pointer(self.many, number, "id")));
                }
                Some(key) => {
                    put_header(event, EVENT_HEADER, &key.fingerprint, true);
                    key.id(number)
                }
                None if given => continue,
                None => Uuid::now_v7(),
            };
            event.insert("id".to_owned(), raw(&id.to_string()));
        }
        Ok(())
    }
}

/// Records all of it, or nothing. A connection that is lost on the way is replaced once.
///
/// # Errors
/// What the caller reads.
pub async fn record(pool: &Pool, order: &Order) -> Result<Recorded, Problem> {
    let mut tried = false;
    loop {
        let mut lease = match pool.lease().await {
            Ok(lease) => lease,
            Err(_) if tried => return Err(pool::unknown()),
            Err(problem) => return Err(problem),
        };
        let outcome = tokio::time::timeout(LONGEST, transact(&mut lease.client, order)).await;
        let Ok(outcome) = outcome else {
            pool.down(&"PostgreSQL does not answer");
            return Err(pool::unknown());
        };
        match outcome {
            Ok(recorded) => {
                lease.give_back();
                return Ok(recorded);
            }
            Err(Fault::Refused(problem)) => {
                lease.give_back();
                return Err(problem);
            }
            Err(Fault::Postgres(error)) if refusal::is_lost(&error) => {
                drop(lease);
                pool.forget_idle();
                if std::mem::replace(&mut tried, true) {
                    pool.down(&error);
                    return Err(pool::unknown());
                }
            }
            Err(Fault::Postgres(error)) => {
                lease.give_back();
                // The derived id is that of an event of another type or subject; a constraint is somebody else's.
                let reused = error
                    .as_db_error()
                    .is_some_and(|answer| answer.code().code() == "23505" && answer.constraint().is_none());
                return Err(match &order.key {
                    Some(key) if reused => key.reused(),
                    _ => refusal::problem(&error, order.many),
                });
            }
        }
    }
}

enum Fault {
    Postgres(tokio_postgres::Error),
    Refused(Problem),
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

async fn transact(client: &mut Client, order: &Order) -> Result<Recorded, Fault> {
    // Whatever the database's default: after waiting for a repeat of itself, a request must see what that has recorded.
    let transaction = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start().await?;
    let mut subject_id = None;
    let mut events = Cow::Borrowed(&order.events);
    for (link, derived) in order.links.iter().zip(derive(&transaction, &order.links).await?) {
        match &link.given {
            Some(given) if *given == derived => {}
            Some(given) => {
                return Err(Fault::Refused(scope::other_link(given, pointer(order.many, link.number, "subject_id"))));
            }
            None => {
                events.to_mut()[link.number].insert("subject_id".to_owned(), raw(&derived));
                subject_id = Some(derived);
            }
        }
    }
    let array = serde_json::to_string(&events).unwrap_or_default();
    let rows =
        transaction.query_typed("SELECT lifestream.emit_events($1::text::jsonb)", &[(&array, Type::TEXT)]).await?;
    let ids = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<Uuid>, _>>()?;
    let mut replayed = false;
    if let (Some(key), Some(first)) = (&order.key, ids.first()) {
        let rows = transaction
            .query_typed(
                "SELECT fingerprint, is_new FROM lifestream.idempotency_fingerprint($1)",
                &[(first, Type::UUID)],
            )
            .await?;
        // A function with OUT parameters has one row, of nulls where there is no such event.
        let (fingerprint, is_new): (Option<String>, Option<bool>) = match rows.first() {
            Some(row) => (row.try_get(0)?, row.try_get(1)?),
            None => (None, None),
        };
        if is_new.is_none() {
            tracing::error!("gateway: event {first} cannot be seen by the owner of lifestream.idempotency_fingerprint");
            return Err(Fault::Refused(Problem::new(Kind::Internal, "the Idempotency-Key could not be checked")));
        }
        if fingerprint.as_ref() != Some(&key.fingerprint) {
            return Err(Fault::Refused(key.reused()));
        }
        replayed = is_new == Some(false);
    }
    transaction.commit().await?;
    Ok(Recorded { ids, subject_id, replayed })
}

/// Their `subject_id`s, in order.
async fn derive(transaction: &Transaction<'_>, links: &[LinkId]) -> Result<Vec<String>, tokio_postgres::Error> {
    const DERIVE: &str = "SELECT lifestream.link_subject_id(url, tenant) \
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (url, tenant, place) ORDER BY place";
    if links.is_empty() {
        return Ok(Vec::new());
    }
    let (urls, tenants): (Vec<_>, Vec<_>) = links.iter().map(|link| (link.url.as_str(), link.tenant.as_str())).unzip();
    let rows = transaction.query_typed(DERIVE, &[(&urls, Type::TEXT_ARRAY), (&tenants, Type::TEXT_ARRAY)]).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Records in a task of its own: a caller who hangs up meanwhile cuts nothing short.
///
/// # Errors
/// As [`record`].
pub async fn record_whatever_happens<T: Send + 'static>(
    pool: Arc<Pool>,
    order: Order,
    held: T,
) -> Result<Recorded, Problem> {
    let task = tokio::spawn(async move {
        let recorded = record(&pool, &order).await;
        drop(held);
        recorded
    });
    task.await.unwrap_or_else(|error| {
        tracing::error!("gateway: recording failed: {error}");
        Err(Problem::new(Kind::Internal, "recording failed; the log says more"))
    })
}

/// Where an event's member stands in the body, as a JSON pointer in a URL's fragment.
pub fn pointer(many: bool, number: usize, member: &str) -> String {
    if many { format!("#/{number}/{member}") } else { format!("#/{member}") }
}

/// A JSON string.
pub fn raw(text: &str) -> Box<RawValue> {
    // A string has a JSON form.
    to_raw_value(text).unwrap_or_default()
}

/// Puts a header into the event's own, which stay as they are if they are no object: the database says so then.
pub fn put_header(event: &mut Members, name: &str, value: &str, instead: bool) {
    let mut headers = match event.get("headers").map(|headers| headers.get()) {
        None | Some("null") => Members::new(),
        Some(text) => match serde_json::from_str::<Members>(text) {
            Ok(headers) => headers,
            Err(_) => return,
        },
    };
    if instead || !headers.contains_key(name) {
        headers.insert(name.to_owned(), raw(value));
        if let Ok(headers) = to_raw_value(&headers) {
            event.insert("headers".to_owned(), headers);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_header_joins_the_events_own() {
        for (given, instead, expected) in [
            ("{}", true, r#"{"headers":{"a":"new"}}"#),
            (r#"{"headers":null}"#, false, r#"{"headers":{"a":"new"}}"#),
            (r#"{"headers":{"a":"old","b":1.50}}"#, false, r#"{"headers":{"a":"old","b":1.50}}"#),
            (r#"{"headers":{"a":"old","b":1.50}}"#, true, r#"{"headers":{"a":"new","b":1.50}}"#),
            (r#"{"headers":[1]}"#, true, r#"{"headers":[1]}"#),
        ] {
            let mut event: Members = serde_json::from_str(given).unwrap();
            put_header(&mut event, "a", "new", instead);
            assert_eq!(serde_json::to_string(&event).unwrap(), expected, "{given}");
        }
    }
}
