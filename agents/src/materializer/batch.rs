//! Applying a batch: one transaction for its offsets, its dedupe rows and its state.

use std::collections::HashMap;

use jiff::Timestamp;
use lifestream_envelope::failpoint;
use rdkafka::message::Message;

use super::error::MaterializerError;
use super::fault::{self, Fault};
use super::parking::{Held, park};
use super::positions::Positions;
use super::record::{Line, Reading, Record};
use super::store::{Advance, Store};

/// What a member has in hand: where partitions stand and who waits. Changes only with what is committed.
pub struct Hand<'s> {
    /// The connection.
    pub store: &'s Store,
    /// Where partitions stand.
    pub positions: &'s mut Positions,
    /// Subjects that wait behind something parked.
    pub held: &'s mut Held,
}

/// Why a lone record is parked: its error, and how often it was tried.
type Sentence = (String, i32);

impl Hand<'_> {
    /// Applies records in order. When an event fails, what comes before and after it in the batch is applied all the
    /// same, and the event is parked: the batch is halved until it is alone.
    ///
    /// # Errors
    /// What is not an event's own fault; everything up to the positions is committed then.
    pub async fn apply(&mut self, records: &[Record<'_>]) -> Result<(), MaterializerError> {
        // Ranges still to do, the next one last.
        let mut ranges = vec![(0, records.len())];
        let mut tries = 0;
        while let Some((from, to)) = ranges.pop() {
            let slice = &records[from..to];
            let Err(error) = self.commit(slice, None).await else {
                tries = 0;
                continue;
            };
            match (fault::of(&error), to - from) {
                (Fault::Event | Fault::Doubtful, 2..) => {
                    let middle = from + (to - from) / 2;
                    ranges.push((middle, to));
                    ranges.push((from, middle));
                }
                (Fault::Doubtful, 1) if tries + 1 < fault::DOUBTFUL_TRIES => {
                    tries += 1;
                    ranges.push((from, to));
                }
                // A function has gone or changed meanwhile: with it fail the events of its whole schema.
                (Fault::Event | Fault::Doubtful, 1) if self.store.plan.is_outdated(self.store.client()).await? => {
                    return Err(MaterializerError::Overtaken);
                }
                (Fault::Event | Fault::Doubtful, 1) => {
                    let attempts = i32::try_from(tries + 1).unwrap_or(i32::MAX);
                    self.commit(slice, Some((error.to_string(), attempts))).await?;
                    tries = 0;
                }
                _ => return Err(error),
            }
        }
        Ok(())
    }

    /// One transaction. With a sentence, the (single) record is parked instead of applied.
    async fn commit(&mut self, records: &[Record<'_>], sentence: Option<Sentence>) -> Result<(), MaterializerError> {
        let mut held = self.held.clone();
        let done = self.transact(records, sentence, &mut held).await;
        match done {
            Ok(positions) => {
                *self.positions = positions;
                *self.held = held;
                Ok(())
            }
            Err(error) => {
                self.store.roll_back().await;
                Err(error)
            }
        }
    }

    async fn transact(
        &self,
        records: &[Record<'_>],
        sentence: Option<Sentence>,
        held: &mut Held,
    ) -> Result<Positions, MaterializerError> {
        let (store, client) = (self.store, self.store.client());
        let (positions, advances) = self.advances(records);
        let sorted = Sorted::sort(records, store, held, sentence);
        let events: Vec<_> = sorted
            .events
            .iter()
            .map(|event| (event.0, event.2.message.partition(), event.2.message.offset()))
            .collect();
        failpoint!("materializer.read");
        let mut new = store.begin(&advances, &events).await?;
        failpoint!("materializer.began");
        for (record, error, attempts) in &sorted.parked {
            park(client, &store.park, store.names(), record, error, *attempts, held).await?;
            failpoint!("materializer.parked");
        }
        // Taken out as it is used: a repeat within the batch is applied once.
        let all_new = new.len() == events.len();
        let applied: Vec<_> = sorted
            .events
            .iter()
            .filter(|(id, ..)| all_new || new.remove(id))
            .map(|(_, event_type, record)| (*event_type, record.value()))
            .collect();
        store.plan.apply(client, &applied).await?;
        failpoint!("materializer.applied");
        store.commit().await?;
        failpoint!("materializer.committed");
        Ok(positions)
    }

    /// Where these records take each partition.
    fn advances(&self, records: &[Record<'_>]) -> (Positions, Vec<Advance>) {
        let mut positions = self.positions.clone();
        let mut received: HashMap<i32, Timestamp> = HashMap::new();
        for record in records {
            positions.pass(record.message.partition(), record.message.offset());
            if let Reading::Event(facts) = &record.reading {
                let newest = received.entry(record.message.partition()).or_insert(facts.received_at);
                *newest = facts.received_at.max(*newest);
            }
        }
        let advance = |(partition, expected, next)| Advance {
            partition,
            expected,
            next,
            received: received.get(&partition).copied(),
        };
        let advances = positions.moved_since(self.positions).into_iter().map(advance).collect();
        (positions, advances)
    }
}

/// A batch's records by what is to be done with them.
struct Sorted<'r, 'a> {
    /// To apply, if they are new: id, type, record.
    events: Vec<(uuid::Uuid, &'r str, &'r Record<'a>)>,
    /// To park: record, error, tries.
    parked: Vec<(&'r Record<'a>, String, i32)>,
}

impl<'r, 'a> Sorted<'r, 'a> {
    fn sort(records: &'r [Record<'a>], store: &Store, held: &Held, sentence: Option<Sentence>) -> Self {
        let mut sorted = Self { events: Vec::with_capacity(records.len()), parked: Vec::new() };
        // Who comes to be held back by a record of this very batch.
        let mut holding: Vec<Line<'_>> = Vec::new();
        let mut sentence = sentence;
        for record in records {
            let trouble = match &record.reading {
                Reading::Marker => continue,
                Reading::Malformed { error, .. } => Some((error.clone(), 1)),
                Reading::Event(facts) => {
                    let broken = || store.plan.trouble(&facts.event_type).map(|trouble| (trouble.to_owned(), 1));
                    sentence.take().or_else(broken)
                }
            };
            let line = record.reading.line();
            let meets = |line: Line<'_>| held.by(line).is_some() || holding.iter().any(|other| line.meets(*other));
            let waits = line.is_some_and(meets);
            match (trouble, &record.reading) {
                (Some((error, attempts)), _) => {
                    // What cannot be read may be anybody's, whoever it waits behind.
                    holding.extend(line.filter(|line| !waits || line.tenant_id.is_none()));
                    sorted.parked.push((record, error, attempts));
                }
                (None, Reading::Event(_)) if waits => {
                    sorted.parked.push((record, "waits behind a parked event of its subject".to_owned(), 0));
                }
                (None, Reading::Event(facts)) => sorted.events.push((facts.id, &facts.event_type, record)),
                (None, _) => {}
            }
        }
        sorted
    }
}
