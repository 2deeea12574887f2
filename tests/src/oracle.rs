//! The oracle of every fault test: what writers know of their commits, held against the topic and the state.
//!
//! After healing, every committed event is on `events.raw` and has exactly one effect in the state; no failed one appears
//! anywhere; of a commit whose outcome the writer never learnt, all events are there or none; and within one subject the
//! topic's order is the order of `seq`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use tokio_postgres::Client;
use uuid::Uuid;

use crate::topic::Record;

/// What a writer learnt of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Postgres said that it is committed.
    Ok,
    /// It was rolled back, or refused.
    Failed,
    /// The connection was lost before an answer came.
    Unknown,
}

/// One transaction of a writer.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// The ids that it emitted.
    pub events: Vec<Uuid>,
    /// How it ended.
    pub outcome: Outcome,
}

/// A transaction that a writer is about to make.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// Of all its events.
    pub event_type: &'a str,
    /// One event for each.
    pub subject_ids: &'a [&'a str],
    /// Of each event, as JSON.
    pub payload: &'a str,
    /// A statement that comes first, such as one that takes a lock; may be empty.
    pub before: &'a str,
    /// How long it stays open behind its last event.
    pub hold: Duration,
    /// False rolls back.
    pub commit: bool,
}

/// Collects what writers know; shared by all of them.
#[derive(Debug, Default)]
pub struct Oracle {
    transactions: Mutex<Vec<Transaction>>,
}

/// What is wrong. All empty is how it must be; but for `sent_twice`, which consumers bear (by the event's id), nothing may be in it ever.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Committed, and not on the topic.
    pub lost: BTreeSet<Uuid>,
    /// Committed, on the topic, and without an effect in the state.
    pub without_effect: BTreeSet<Uuid>,
    /// With more than one effect in the state.
    pub doubled: BTreeSet<Uuid>,
    /// Rolled back or refused, and yet on the topic or in the state.
    pub ghosts: BTreeSet<Uuid>,
    /// Of a commit with unknown outcome, the part that is there while another part is not.
    pub torn: BTreeSet<Uuid>,
    /// Subjects whose events are out of order on the topic.
    pub reordered: BTreeSet<String>,
    /// More than once on the topic.
    pub sent_twice: BTreeSet<Uuid>,
}

impl Verdict {
    /// Whether nothing was lost, doubled in the state, torn or reordered (a record sent twice may be).
    pub fn is_sound(&self) -> bool {
        let Self { lost, without_effect, doubled, ghosts, torn, reordered, sent_twice: _ } = self;
        [lost, without_effect, doubled, ghosts, torn].iter().all(|ids| ids.is_empty()) && reordered.is_empty()
    }
}

impl Oracle {
    /// Notes a transaction and how it ended.
    pub fn note(&self, events: Vec<Uuid>, outcome: Outcome) {
        self.transactions.lock().expect("no writer panicked").push(Transaction { events, outcome });
    }

    /// How many events are known to be committed.
    pub fn committed(&self) -> usize {
        let transactions = self.transactions.lock().expect("no writer panicked");
        transactions
            .iter()
            .filter(|transaction| transaction.outcome == Outcome::Ok)
            .map(|transaction| transaction.events.len())
            .sum()
    }

    /// Emits one event for each subject in one transaction and notes how it ended. Ids are the oracle's own, so that they are
    /// known whatever happens. `commit` false rolls back.
    pub async fn emit(&self, client: &mut Client, event_type: &str, subject_ids: &[&str], commit: bool) -> Outcome {
        let draft = Draft { event_type, subject_ids, payload: "{}", before: "", hold: Duration::ZERO, commit };
        self.emit_as(client, &draft).await
    }

    /// The same, told in more detail.
    pub async fn emit_as(&self, client: &mut Client, draft: &Draft<'_>) -> Outcome {
        let ids: Vec<Uuid> = draft.subject_ids.iter().map(|_| Uuid::now_v7()).collect();
        let outcome = emit(client, draft, &ids).await;
        self.note(ids, outcome);
        outcome
    }

    /// Holds the topic's records (markers left out) and the state's effects (how many each event has had; `None` where no state
    /// is kept) against what the writers know.
    pub fn judge(&self, records: &[Record], effects: Option<&HashMap<Uuid, u64>>) -> Verdict {
        let transactions = self.transactions.lock().expect("no writer panicked");
        judge(&transactions, records, effects)
    }
}

/// How often each event was applied, as the projections of [`crate::load`] have counted it.
pub async fn effects(client: &Client) -> HashMap<Uuid, u64> {
    let rows = client
        .query("SELECT event_id, count(*) FROM public.applied GROUP BY event_id", &[])
        .await
        .expect("the state can be read");
    rows.iter().map(|row| (row.get(0), u64::try_from(row.get::<_, i64>(1)).expect("a count"))).collect()
}

async fn emit(client: &mut Client, draft: &Draft<'_>, ids: &[Uuid]) -> Outcome {
    let Ok(transaction) = client.transaction().await else { return Outcome::Failed };
    if transaction.batch_execute(draft.before).await.is_err() {
        return Outcome::Failed;
    }
    for (id, subject_id) in ids.iter().zip(draft.subject_ids) {
        let sql = "SELECT lifestream.emit_event($1, 'oracle', $2, $3::text::jsonb, id => $4)";
        if transaction.execute(sql, &[&draft.event_type, subject_id, &draft.payload, id]).await.is_err() {
            return Outcome::Failed;
        }
    }
    if !draft.hold.is_zero() {
        tokio::time::sleep(draft.hold).await;
    }
    if !draft.commit {
        drop(transaction.rollback().await);
        return Outcome::Failed;
    }
    match transaction.commit().await {
        Ok(()) => Outcome::Ok,
        // An answer is an answer; without one the commit may have happened. An administrator's kill (57P01) can come after it.
        Err(error) => match error.code() {
            Some(code) if !code.code().starts_with("57") => Outcome::Failed,
            _ => Outcome::Unknown,
        },
    }
}

fn judge(transactions: &[Transaction], records: &[Record], effects: Option<&HashMap<Uuid, u64>>) -> Verdict {
    let mut verdict = Verdict::default();
    let mut sent: HashMap<Uuid, u64> = HashMap::new();
    let mut last: BTreeMap<&[u8], i64> = BTreeMap::new();
    for record in records.iter().filter(|record| !record.is_marker()) {
        let id = record.event_id();
        let times = sent.entry(id).or_default();
        *times += 1;
        if *times > 1 {
            verdict.sent_twice.insert(id);
            continue;
        }
        let seq = record.json()["seq"].as_i64().expect("seq is a number");
        let key = record.key.as_deref().unwrap_or_default();
        if last.insert(key, seq).is_some_and(|before| before > seq) {
            verdict.reordered.insert(String::from_utf8_lossy(key).into_owned());
        }
    }
    if let Some(effects) = effects {
        verdict.doubled.extend(effects.iter().filter(|(_, count)| **count > 1).map(|(id, _)| *id));
    }
    let in_state = |id: &Uuid| effects.is_some_and(|effects| effects.get(id).is_some_and(|count| *count > 0));
    for Transaction { events, outcome } in transactions {
        let there: Vec<bool> = events.iter().map(|id| sent.contains_key(id)).collect();
        for (id, sent) in events.iter().zip(&there) {
            match outcome {
                Outcome::Ok if !sent => drop(verdict.lost.insert(*id)),
                Outcome::Failed if *sent || in_state(id) => drop(verdict.ghosts.insert(*id)),
                Outcome::Unknown if *sent && there.contains(&false) => drop(verdict.torn.insert(*id)),
                _ => {}
            }
            if *sent && *outcome != Outcome::Failed && effects.is_some() && !in_state(id) {
                verdict.without_effect.insert(*id);
            }
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn record(n: u128, key: &str, seq: i64, offset: i64) -> Record {
        Record {
            partition: 0,
            offset,
            key: Some(key.as_bytes().to_owned()),
            value: Some(format!("{{\"seq\":{seq}}}").into_bytes()),
            headers: vec![("event_id".to_owned(), Some(id(n).to_string().into_bytes()))],
        }
    }

    fn transaction(events: &[u128], outcome: Outcome) -> Transaction {
        Transaction { events: events.iter().map(|n| id(*n)).collect(), outcome }
    }

    #[test]
    fn sound_when_all_is_there_once_and_in_order() {
        let transactions = [
            transaction(&[1, 2], Outcome::Ok),
            transaction(&[3], Outcome::Failed),
            transaction(&[4], Outcome::Unknown),
        ];
        let records = [record(1, "a", 1, 0), record(2, "a", 2, 1)];
        let effects = HashMap::from([(id(1), 1), (id(2), 1)]);
        assert_eq!(judge(&transactions, &records, Some(&effects)), Verdict::default());
    }

    #[test]
    fn sees_loss_ghosts_and_torn_commits() {
        let transactions = [
            transaction(&[1], Outcome::Ok),
            transaction(&[2], Outcome::Failed),
            transaction(&[3, 4], Outcome::Unknown),
        ];
        let verdict = judge(&transactions, &[record(2, "a", 2, 0), record(3, "a", 3, 1)], None);
        assert_eq!(verdict.lost, BTreeSet::from([id(1)]));
        assert_eq!(verdict.ghosts, BTreeSet::from([id(2)]));
        assert_eq!(verdict.torn, BTreeSet::from([id(3)]));
        assert!(!verdict.is_sound());
    }

    #[test]
    fn sees_reordering_within_a_subject_only() {
        let transactions = [transaction(&[1, 2, 3], Outcome::Ok)];
        let verdict = judge(&transactions, &[record(2, "a", 2, 0), record(1, "a", 1, 1), record(3, "b", 0, 2)], None);
        assert_eq!(verdict.reordered, BTreeSet::from(["a".to_owned()]));
    }

    #[test]
    fn a_record_sent_twice_is_named_and_still_sound() {
        let transactions = [transaction(&[1, 2], Outcome::Ok)];
        let verdict = judge(&transactions, &[record(1, "a", 1, 0), record(2, "a", 2, 1), record(1, "a", 1, 2)], None);
        assert_eq!(verdict.sent_twice, BTreeSet::from([id(1)]));
        assert!(verdict.is_sound());
    }

    #[test]
    fn sees_doubled_and_missing_effects() {
        let transactions = [transaction(&[1, 2], Outcome::Ok)];
        let effects = HashMap::from([(id(1), 2)]);
        let verdict = judge(&transactions, &[record(1, "a", 1, 0), record(2, "a", 2, 1)], Some(&effects));
        assert_eq!(verdict.doubled, BTreeSet::from([id(1)]));
        assert_eq!(verdict.without_effect, BTreeSet::from([id(2)]));
    }
}
