//! What is known of the answers to work that is to be tried again.
//!
//! A guard is a question about the state, and cannot tell whose work made it what it is. A group that does all work anew
//! fails at work that another group did long ago: for its retry, a guard's no may say only that.

use std::collections::HashSet;

use lifestream_envelope::ids;
use lifestream_envelope::work::Work;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::AgentError;

/// So many attempts after this one are looked for, at most.
const LATER: usize = 10;

const EXIST: &str = "SELECT id FROM lifestream.events WHERE id = ANY ($1)";

/// Events that have a fact for an answer, of whichever group: it names its cause, and is about the same subject. It is looked
/// for among the next thousand events of the subject, for a subject may have millions.
const HAVE_FACTS: &str = "\
SELECT t.id FROM lifestream.events t WHERE t.id = ANY ($1) AND EXISTS (
    SELECT FROM (SELECT e.causation_id, e.event_type FROM lifestream.events e
                 WHERE e.subject_id = t.subject_id AND e.seq > t.seq ORDER BY e.seq LIMIT 1000) AS f
    WHERE f.causation_id = t.id AND f.event_type NOT LIKE 'work.%')";

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

/// Those of these events that some group has answered with a fact.
///
/// # Errors
/// As the database has it.
pub async fn with_facts(client: &Client, events: &[Uuid]) -> Result<HashSet<Uuid>, AgentError> {
    ask(client, HAVE_FACTS, events).await
}

async fn ask(client: &Client, statement: &str, ids: &[Uuid]) -> Result<HashSet<Uuid>, AgentError> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = client.query(statement, &[&ids]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}
