//! Where an epoch begins: what was saved, compared with what is there.
//!
//! Where they disagree, it goes on by itself only where nothing can be lost by that, and takes the side on which an event
//! may be published twice. Where going on would be a guess, a person is asked: [`Judgement::Ask`].

use lifestream_envelope::kafka::TopicInfo;

use crate::findings::{self, Finding};
use crate::fitness::Identity;
use crate::lease::Previous;

/// Where to read from, in database and topic.
#[derive(Debug, PartialEq, Eq)]
pub struct Origin {
    /// Every number up to here is settled.
    pub watermark: i64,
    /// The largest number seen.
    pub high: i64,
    /// For each partition, the offset from which on our records may lack their flag.
    pub offsets: Vec<i64>,
    /// Whether any can.
    pub reconcile: bool,
    /// Events of the topic that are not here were committed elsewhere, and lost.
    pub loses: bool,
    /// Nothing that was published is in this Kafka: everything is published again.
    pub anew: bool,
    /// How many partitions there were before some were added.
    pub added: Option<usize>,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Begin there.
    Go(Origin),
    /// Not before a person has decided; then there.
    Ask(Finding, Origin),
}

/// What there is.
pub struct Seen<'a> {
    /// The database.
    pub identity: &'a Identity,
    /// The topic's name, with its prefix.
    pub topic: &'a str,
    /// The topic.
    pub info: &'a TopicInfo,
    /// First and last offsets of each partition.
    pub ends: &'a [(i64, i64)],
    /// Whether any event here has its flag. Asked where the topic is another one than before.
    pub published: bool,
    /// An event of the topic that is not here. Looked for where this database has published nothing to it.
    pub stranger: Option<String>,
}

impl Seen<'_> {
    fn finding(&self, name: &'static str, found: String, remedy: String) -> Finding {
        let about = format!("{} {} {}", self.identity.database, self.topic, self.info.id);
        Finding { name, about, found, remedy }
    }

    /// Begins at the topic's end.
    fn at_the_end(&self, watermark: i64, high: i64) -> Origin {
        let offsets = self.ends.iter().map(|(_, high)| *high).collect();
        Origin { watermark, high, offsets, reconcile: false, loses: false, anew: false, added: None }
    }

    fn unless_in_use(&self, origin: Origin) -> Judgement {
        let Some(stranger) = &self.stranger else { return Judgement::Go(origin) };
        let (topic, name) = (self.topic, findings::TOPIC_IN_USE);
        let found = format!(
            "topic {topic} holds events of another database ({stranger}), and this one has published nothing there"
        );
        let remedy = format!(
            "give this database a KAFKA_TOPIC_PREFIX (or KAFKA_BROKERS) of its own and run `lifestream init`; if the other is gone for \
             good, SELECT lifestream.accept_finding('{name}')"
        );
        Judgement::Ask(self.finding(name, found, remedy), origin)
    }

    /// Decides.
    pub fn judge(&self, previous: Option<Previous>) -> Judgement {
        let Some(previous) = previous else { return self.unless_in_use(self.at_the_end(0, 0)) };
        let same_database = previous.database_identity == self.identity.database;
        match (same_database, previous.topic_id == self.info.id) {
            (true, true) => self.go_on(&previous),
            (true, false) => self.other_topic(&previous),
            (false, true) => self.copied(&previous),
            (false, false) => {
                tracing::warn!(
                    was = previous.database_identity,
                    is = self.identity.database,
                    topic = self.topic,
                    "this database was restored or copied from another, and its Kafka is another too: every event is published again, \
                     those that were archived come back to lifestream.events first"
                );
                self.unless_in_use(Origin { anew: true, ..self.at_the_end(0, self.identity.last_seq) })
            }
        }
    }

    fn other_topic(&self, previous: &Previous) -> Judgement {
        let origin = self.at_the_end(previous.watermark, previous.high);
        if !self.published {
            return Judgement::Go(self.at_the_end(0, self.identity.last_seq));
        }
        let found = format!(
            "topic {} (id {}) is not the one that was published to, {} (id {}): that was deleted and made again, or the settings lead \
             elsewhere; what was published is in the old one only, so nothing is published",
            self.topic, self.info.id, previous.topic, previous.topic_id
        );
        let remedy = "put KAFKA_BROKERS and KAFKA_TOPIC_PREFIX right, or stop all parts and run `lifestream reset`, which has everything published to this one";
        Judgement::Ask(self.finding(findings::TOPIC_RECREATED, found, remedy.to_owned()), origin)
    }

    fn copied(&self, previous: &Previous) -> Judgement {
        let (name, topic) = (findings::DATABASE_RESTORED, self.topic);
        let found = format!(
            "this database ({}) was restored or copied from another ({}), which publishes to the same topic {topic}: nothing is published",
            self.identity.database, previous.database_identity
        );
        let remedy = format!(
            "if both live on, give this one a KAFKA_TOPIC_PREFIX (or KAFKA_BROKERS) of its own and run `lifestream init`; if the other \
             is gone for good, SELECT lifestream.accept_finding('{name}')"
        );
        let origin = self.of_the_topic(previous, true);
        Judgement::Ask(self.finding(name, found, remedy), origin.unwrap_or_else(|(_, origin)| origin))
    }

    fn go_on(&self, previous: &Previous) -> Judgement {
        let promoted = previous.timeline != self.identity.timeline;
        if promoted {
            tracing::warn!(
                was = previous.timeline,
                is = self.identity.timeline,
                "PostgreSQL was promoted or recovered since: looking for what was published and is not here"
            );
        }
        match self.of_the_topic(previous, promoted) {
            Ok(origin) => Judgement::Go(origin),
            Err((found, origin)) => {
                let remedy =
                    "stop all parts and run `lifestream reset`, which has everything published and materialized anew";
                Judgement::Ask(self.finding(findings::TOPIC_SHORTENED, found, remedy.to_owned()), origin)
            }
        }
    }

    /// The topic is the one that was published to; an error if it has lost its end. `elsewhere`: the database has not gone
    /// on from where it was.
    fn of_the_topic(&self, previous: &Previous, elsewhere: bool) -> Result<Origin, (String, Origin)> {
        let (topic, ends) = (self.topic, self.ends);
        let (mut watermark, mut high) = (if elsewhere { 0 } else { previous.watermark }, previous.high);
        if self.identity.last_seq < high {
            tracing::warn!(
                known = high,
                sequence = self.identity.last_seq,
                "the sequence of lifestream.events stands below a number that was published: looking for unflagged events from the beginning"
            );
            (watermark, high) = (0, self.identity.last_seq);
        }
        let mut offsets = previous.offsets.clone();
        let added = (offsets.len() < ends.len()).then_some(offsets.len());
        // Partitions that were added since may hold records of ours from their first one on.
        offsets.resize(ends.len(), 0);
        // Closed, yet not the end of the topic: a crash, a promotion or a copy brought back the row of an older epoch, and
        // what was published since lacks its flag. (Or somebody else writes to the topic, which costs a reading.)
        let mut reconcile = !previous.closed || offsets.iter().zip(ends).any(|(saved, (_, high))| saved != high);
        let mut shortened = None;
        for (partition, (saved, (low, high))) in offsets.iter_mut().zip(ends).enumerate() {
            if *saved > *high {
                shortened = Some(format!(
                    "partition {partition} of topic {topic} ends at offset {high}, and was published to up to {saved}: Kafka has lost \
                     records that consumers may not have read; nothing is published, so that it does not grow past the loss unseen"
                ));
                *saved = *low;
                reconcile = true;
            } else if *saved < *low {
                if reconcile {
                    tracing::error!(
                        topic,
                        partition,
                        saved = *saved,
                        begin = *low,
                        "records were deleted before their flags were saved: events among them may be published twice"
                    );
                }
                *saved = *low;
            }
        }
        let origin = Origin { watermark, high, offsets, reconcile, loses: elsewhere, anew: false, added };
        match shortened {
            None => Ok(origin),
            Some(found) => Err((found, origin)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn previous(offsets: &[i64], closed: bool) -> Previous {
        Previous {
            database_identity: "d".into(),
            timeline: 1,
            watermark: 7,
            high: 9,
            topic: "events.raw".into(),
            topic_id: "t".into(),
            offsets: offsets.to_vec(),
            closed,
        }
    }

    fn judge(previous: Option<Previous>, identity: (&str, i32), id: &str, ends: &[(i64, i64)]) -> Judgement {
        let identity = Identity { database: identity.0.into(), timeline: identity.1, last_seq: 9 };
        let info = TopicInfo { id: id.into(), partitions: i32::try_from(ends.len()).unwrap_or(0) };
        let stranger = ends.iter().any(|(low, high)| low < high).then(|| "event 1".to_owned());
        Seen { identity: &identity, topic: "events.raw", info: &info, ends, published: true, stranger }.judge(previous)
    }

    fn start(offsets: &[i64], closed: bool, ends: &[(i64, i64)]) -> Origin {
        match judge(Some(previous(offsets, closed)), ("d", 1), "t", ends) {
            Judgement::Go(origin) => origin,
            Judgement::Ask(finding, _) => panic!("{finding}"),
        }
    }

    #[test]
    fn a_topic_that_ends_where_the_last_epoch_closed_is_not_read_back() {
        assert!(!start(&[5, 6], true, &[(0, 5), (2, 6)]).reconcile);
        assert!(start(&[5, 6], false, &[(0, 5), (2, 6)]).reconcile);
    }

    #[test]
    fn partitions_that_were_added_are_read_from_their_first_record() {
        let origin = start(&[5], true, &[(0, 5), (0, 0)]);
        assert!(!origin.reconcile, "nobody wrote to it");
        assert_eq!(origin.added, Some(1));
        let origin = start(&[5], true, &[(0, 5), (0, 3)]);
        assert_eq!((origin.reconcile, origin.offsets), (true, vec![5, 0]));
    }

    #[test]
    fn a_topic_that_goes_on_behind_a_closed_epoch_is_read_back() {
        let origin = start(&[5, 6], true, &[(0, 5), (2, 8)]);
        assert!(origin.reconcile && !origin.loses);
        assert_eq!(origin.offsets, [5, 6]);
        assert_eq!((origin.watermark, origin.high), (7, 9));
    }

    #[test]
    fn a_promotion_goes_on_by_itself_from_the_first_number() {
        let Judgement::Go(origin) = judge(Some(previous(&[5], true)), ("d", 2), "t", &[(0, 8)]) else {
            panic!("asked")
        };
        assert!(origin.reconcile && origin.loses);
        assert_eq!((origin.watermark, origin.offsets), (0, vec![5]));
    }

    #[test]
    fn a_person_is_asked_where_going_on_is_a_guess() {
        for (previous_epoch, database, topic, ends, name) in [
            (None, "d", "t", (0, 4), Some("topic_in_use")),
            (None, "d", "t", (4, 4), None),
            (Some(previous(&[5], true)), "d", "u", (0, 0), Some("topic_recreated")),
            (Some(previous(&[5], true)), "d", "t", (2, 4), Some("topic_shortened")),
            (Some(previous(&[5], true)), "e", "t", (0, 5), Some("database_restored")),
            (Some(previous(&[5], true)), "e", "u", (0, 5), Some("topic_in_use")),
            (Some(previous(&[5], true)), "e", "u", (0, 0), None),
        ] {
            let asked = match judge(previous_epoch, (database, 1), topic, &[ends]) {
                Judgement::Go(origin) => {
                    assert_eq!(origin.anew, database == "e");
                    None
                }
                Judgement::Ask(finding, _) => Some(finding.name),
            };
            assert_eq!(asked, name, "{database} {topic} {ends:?}");
        }
    }
}
