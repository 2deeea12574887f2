//! Events on the topic that this database does not have: another database's, or commits that it has lost.

use std::collections::HashSet;

use tokio_postgres::Client;
use uuid::Uuid;

use super::fitness::Identity;
use crate::error::BridgeError;
use crate::findings::{self, Finding};
use crate::topic_tail::{Found, Place};

/// Ids that are looked up at once.
const ASKED: usize = 10_000;
/// So many are named; the rest is counted.
const NAMED: usize = 20;
/// After a promotion no more numbers than this are drawn to come past those of lost events.
const MOST_NUMBERS: i64 = 1_000_000;

/// Those of the events found that are not here, archived or not.
pub async fn among(client: &Client, found: &Found) -> Result<Vec<(Uuid, Place)>, BridgeError> {
    let (events, mut left) = (found.events.iter().collect::<Vec<_>>(), Vec::new());
    for some in events.chunks(ASKED) {
        let ids: Vec<Uuid> = some.iter().map(|(id, _)| **id).collect();
        let rows = client.query("SELECT id FROM lifestream.all_events WHERE id = ANY ($1)", &[&ids]).await?;
        let here = rows.iter().map(|row| row.try_get(0)).collect::<Result<HashSet<Uuid>, _>>()?;
        left.extend(some.iter().filter(|(id, _)| !here.contains(id)).map(|(id, place)| (**id, **place)));
    }
    left.sort_by_key(|(_, place)| (place.partition, place.offset));
    Ok(left)
}

/// The first of them, for people.
pub fn named(strangers: &[(Uuid, Place)]) -> String {
    let name = |(id, place): &(Uuid, Place)| format!("{id} at partition {} offset {}", place.partition, place.offset);
    let list: Vec<String> = strangers.iter().take(NAMED).map(name).collect();
    let more = if strangers.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", list.join(", "))
}

/// Tells of events that somebody else has published.
pub async fn foreign(
    client: &Client,
    identity: &Identity,
    topic: &str,
    count: usize,
    strangers: &[(Uuid, Place)],
    publishers: &[String],
) -> Result<(), BridgeError> {
    let name = findings::FOREIGN_EVENTS;
    let who = match publishers {
        [] => "another database publishes to it, or this one lost commits in a crash".to_owned(),
        who => format!("another database publishes to it ({})", who.join("; ")),
    };
    let finding = Finding {
        name,
        about: format!("{} {topic}", identity.database),
        found: format!(
            "topic {topic} holds {count} events that this database does not have: {}; {who}",
            named(strangers)
        ),
        remedy: format!(
            "give each database a KAFKA_TOPIC_PREFIX of its own; once this is the only one that publishes to this topic, SELECT lifestream.accept_finding('{name}')"
        ),
    };
    findings::report(client, &finding).await
}

/// Tells of events that the primary before this one, or the database that this is a copy of, had committed and published.
///
/// Consumers have them, and the state will: an event that is numbered as one of them was would be taken for older. So the
/// numbers go on behind theirs.
pub async fn lost(
    client: &Client,
    identity: &Identity,
    topic: &str,
    strangers: &[(Uuid, Place)],
) -> Result<(), BridgeError> {
    const DRAW: &str =
        "SELECT count(pg_catalog.nextval('lifestream.events_seq_seq')) FROM pg_catalog.generate_series(1, $1::int8)";
    let name = findings::LOST_EVENTS;
    let last = strangers.iter().map(|(_, place)| place.seq).max().unwrap_or(0);
    let ahead = last - identity.last_seq;
    let numbers = if (1..=MOST_NUMBERS).contains(&ahead) {
        client.query_one(DRAW, &[&ahead]).await?;
        format!("numbers go on behind theirs, at {}", last + 1)
    } else if ahead > 0 {
        format!(
            "their numbers go up to {last}, far ahead of {}: SELECT setval('lifestream.events_seq_seq', {last}), else later events are taken for older",
            identity.last_seq
        )
    } else {
        format!(
            "their numbers go up to {last}: events about the same subjects that were emitted before the bridge began may be taken for older"
        )
    };
    let finding = Finding {
        name,
        about: format!("{} {} {topic}", identity.database, identity.timeline),
        found: format!(
            "{} events were published to topic {topic} whose commits this database has lost: {}; consumers and the state have them, \
             lifestream.events has not; {numbers}",
            strangers.len(),
            named(strangers)
        ),
        remedy: format!(
            "their records are in Kafka: what is to be kept is emitted again under its id, for a rebuild leaves it out: \
             lifestream tail --from-beginning --no-follow --json | jq -c '.value | select(.id == \"<id>\") | del(.seq, .received_at)' | lifestream import - --format jsonl; then SELECT lifestream.accept_finding('{name}')"
        ),
    };
    findings::report(client, &finding).await
}
