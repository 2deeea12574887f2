//! What is known of the answers to work that is to be tried again.
//!
//! A guard is a question about the state, and cannot tell whose work made it what it is. A group that does all work anew
//! fails at work that another group did long ago: for its retry, a guard's no may say only that.

use std::collections::{HashMap, HashSet};

use lifestream_envelope::work::Work;
use lifestream_envelope::{groups, ids};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::AgentError;

/// So many attempts after this one are looked for, at most.
const LATER: usize = 10;
/// Whatever a message says of itself.
const MOST_ATTEMPTS: u32 = 100;

const EXIST: &str = "SELECT id FROM lifestream.all_events WHERE id = ANY ($1)";

/// What has these events for its cause and is about the same subject, but for failures: id, cause and source. It is looked for
/// among the next thousand events of the subject, for a subject may have millions.
const CAUSED: &str = "\
SELECT t.id, f.id, f.source FROM lifestream.all_events t CROSS JOIN LATERAL (
    SELECT e.id, e.causation_id, e.event_type, e.source FROM lifestream.all_events e
    WHERE e.subject_id = t.subject_id AND e.seq > t.seq ORDER BY e.seq LIMIT 1000) AS f
WHERE t.id = ANY ($1) AND f.causation_id = t.id AND f.event_type NOT LIKE 'work.%'";

/// Groups that have done such work: those that have told how far they are with its topic (which gives their prefix away), and
/// those that have failed at it for these subjects.
const GROUPS: &str = "\
SELECT w.work_type, substr(c.consumer_group, length(c.topic) - length(w.topic) + 1)
FROM (SELECT work_type, 'work.' || work_type AS topic FROM unnest($1::text[]) AS work_type) AS w
JOIN lifestream.consumer_progress c
  ON right(c.topic, length(w.topic)) = w.topic AND starts_with(c.consumer_group, left(c.topic, -length(w.topic)))
UNION
SELECT a.work_type, a.agent FROM lifestream.work_attempts a
WHERE a.subject_id = ANY ($2) AND a.work_type = ANY ($1) AND a.agent IS NOT NULL";

/// Places of those that the group which wants them has answered already: this attempt, or one that came later.
///
/// # Errors
/// As the database has it.
pub async fn by_their_group(client: &Client, wanted: &[(&str, &Work)]) -> Result<HashSet<usize>, AgentError> {
    let answers = |(group, work): &(&str, &Work)| -> Vec<Uuid> {
        let attempts = work.attempt..=work.max_attempts.max(work.attempt);
        let id = |attempt| ids::work_id(work.triggered_by_event_id, &work.work_type, attempt);
        attempts.take(LATER + 1).map(|attempt| ids::result_id(group, id(attempt))).collect()
    };
    let answers: Vec<Vec<Uuid>> = wanted.iter().map(answers).collect();
    let there = ask(client, EXIST, &answers.concat()).await?;
    let answered = |(place, ids): (usize, Vec<Uuid>)| ids.iter().any(|id| there.contains(id)).then_some(place);
    Ok(answers.into_iter().enumerate().filter_map(answered).collect())
}

/// Places of those whose event some group has answered with a fact, at any attempt of this work.
///
/// An answer is known by its derived id. Any event may name another as its cause: one that follows from work of another type, or
/// that somebody has made up, says nothing about this work.
///
/// # Errors
/// As the database has it.
pub async fn with_facts(client: &Client, wanted: &[(&str, &Work)]) -> Result<HashSet<usize>, AgentError> {
    let triggers: Vec<Uuid> = wanted.iter().map(|(_, work)| work.triggered_by_event_id).collect();
    if triggers.is_empty() {
        return Ok(HashSet::new());
    }
    let mut facts: HashMap<Uuid, Vec<(Uuid, String)>> = HashMap::new();
    for row in client.query(CAUSED, &[&triggers]).await? {
        facts.entry(row.try_get(0)?).or_default().push((row.try_get(1)?, row.try_get(2)?));
    }
    if facts.is_empty() {
        return Ok(HashSet::new());
    }
    let work_types: Vec<&str> = wanted.iter().map(|(_, work)| work.work_type.as_str()).collect();
    let subjects: Vec<&str> = wanted.iter().map(|(_, work)| work.subject_id.as_str()).collect();
    let mut known: HashMap<String, Vec<String>> = HashMap::new();
    for row in client.query(GROUPS, &[&work_types, &subjects]).await? {
        known.entry(row.try_get(0)?).or_default().push(row.try_get(1)?);
    }
    let is_answered = |(_, work): &(&str, &Work)| {
        let Some(facts) = facts.get(&work.triggered_by_event_id) else { return false };
        // An agent of one's own may name its group as the source.
        let named = facts.iter().filter_map(|(_, source)| source.strip_prefix("agent/"));
        let of_type = known.get(&work.work_type).into_iter().flatten().map(String::as_str);
        let groups: HashSet<&str> =
            [groups::FETCHER, groups::ENRICHER, groups::PUBLISHER].into_iter().chain(named).chain(of_type).collect();
        let last = work.max_attempts.max(work.attempt).min(work.attempt.saturating_add(MOST_ATTEMPTS));
        (1..=last).any(|attempt| {
            let id = ids::work_id(work.triggered_by_event_id, &work.work_type, attempt);
            groups.iter().any(|group| {
                let answer = ids::result_id(group, id);
                facts.iter().any(|(fact, _)| *fact == answer)
            })
        })
    };
    Ok(wanted.iter().enumerate().filter(|(_, wanted)| is_answered(wanted)).map(|(place, _)| place).collect())
}

async fn ask(client: &Client, statement: &str, ids: &[Uuid]) -> Result<HashSet<Uuid>, AgentError> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = client.query(statement, &[&ids]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}
