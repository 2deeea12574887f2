//! Handing work on: to its topic, which is made where there is none.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use lifestream_envelope::event::Event;
use lifestream_envelope::kafka::{Created, Kafka, KafkaError};
use lifestream_envelope::work::Work;
use lifestream_envelope::{headers, topics};
use rdkafka::message::{Header, OwnedHeaders};
use uuid::Uuid;

use crate::AgentError;
use crate::producer::{Outgoing, Producer, Sent, words};

/// What is handed on.
#[derive(Clone, Copy)]
pub enum Item<'a> {
    /// To the topic of its work type.
    Work(&'a Work),
    /// A `work.dead_lettered`, to the topic of the dead letters.
    Letter(&'a Event),
}

impl Item<'_> {
    fn id(&self) -> Uuid {
        match self {
            Self::Work(work) => work.id,
            Self::Letter(letter) => letter.id,
        }
    }

    fn work_type(&self) -> &str {
        match self {
            Self::Work(work) => &work.work_type,
            Self::Letter(_) => "dead_letter",
        }
    }

    fn message(&self, topic: Arc<str>) -> Outgoing {
        match self {
            // Every field has a JSON form.
            Self::Work(work) => Outgoing {
                topic,
                key: work.subject_id.clone(),
                value: Some(work.value().unwrap_or_default()),
                headers: work.kafka_headers(),
            },
            Self::Letter(letter) => {
                let mut list = OwnedHeaders::new_with_capacity(2)
                    .insert(Header { key: headers::EVENT_ID, value: Some(&letter.id.to_string()) });
                if let Some(correlation) = letter.correlation_id {
                    list = list.insert(Header { key: headers::CORRELATION_ID, value: Some(&correlation.to_string()) });
                }
                let value = Some(letter.payload.get().as_bytes().to_vec());
                Outgoing { topic, key: letter.subject_id.clone(), value, headers: list }
            }
        }
    }
}

/// The name of a topic that is there, or why Kafka refuses it.
type Topic = Result<Arc<str>, String>;

/// Sends to work topics.
pub struct Handing {
    kafka: Kafka,
    /// None after a failure: a message of the old one that is still under way would arrive behind its repeat. Nor after a
    /// refusal: librdkafka goes by a topic's trouble for minutes after that is over.
    producer: Option<Producer>,
    topics: HashMap<String, Topic>,
    /// Work types whose topic Kafka refuses, as was told already.
    told: HashSet<String>,
}

impl Handing {
    /// Connects when it is first needed.
    pub fn new(kafka: &Kafka) -> Self {
        Self { kafka: kafka.clone(), producer: None, topics: HashMap::new(), told: HashSet::new() }
    }

    /// Makes the topics of these work types where they are missing. One that Kafka refuses is told once.
    ///
    /// # Errors
    /// As Kafka has it.
    pub async fn topics(&mut self, work_types: &BTreeSet<&str>) -> Result<(), AgentError> {
        for work_type in work_types {
            let _refused = self.topic(work_type).await?;
        }
        Ok(())
    }

    /// Sends all but what is `done` and waits until Kafka has it: that is done then, also where the rest fails. Gives the
    /// places of what Kafka refuses for good, its topic or itself, with Kafka's words; the last first, so that taking one
    /// out moves none that is still to be taken.
    ///
    /// # Errors
    /// As Kafka has it: what is not done now may have been sent. The topics are looked for anew then.
    pub async fn hand(
        &mut self,
        items: &[Item<'_>],
        done: &mut HashSet<Uuid>,
    ) -> Result<Vec<(usize, String)>, AgentError> {
        // Somebody may have mended it meanwhile.
        self.topics.retain(|_, topic| topic.is_ok());
        let mut refused = Vec::new();
        let (mut places, mut messages) = (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
        for (place, item) in items.iter().enumerate().filter(|(_, item)| !done.contains(&item.id())) {
            match self.topic(item.work_type()).await? {
                Ok(topic) => {
                    places.push(place);
                    messages.push(item.message(topic));
                }
                Err(reason) => refused.push((place, reason)),
            }
        }
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => Producer::new(&self.kafka)?,
        };
        let sent: Sent = producer.send(&messages).await;
        let open: HashSet<usize> = sent.left.iter().copied().chain(sent.refused.iter().map(|one| one.number)).collect();
        done.extend((0..places.len()).filter(|number| !open.contains(number)).map(|number| items[places[number]].id()));
        if sent.refused.is_empty() && sent.failed.is_none() {
            self.producer = Some(producer);
        }
        if let Some(error) = sent.failed {
            self.topics.clear();
            return Err(error.into());
        }
        refused.extend(sent.refused.into_iter().map(|one| (places[one.number], one.reason)));
        refused.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
        Ok(refused)
    }

    /// The topic of a work type, or that of the dead letters. Seen for the first time, it is made if it is not there.
    async fn topic(&mut self, work_type: &str) -> Result<Topic, AgentError> {
        if let Some(topic) = self.topics.get(work_type) {
            return Ok(topic.clone());
        }
        let topic: Arc<str> = self.kafka.topic(&Work::topic(work_type)).into();
        let found = match self.make(work_type, &topic).await {
            Ok(()) => Ok(topic),
            Err(error) => Err(refusal(error)?),
        };
        match &found {
            Ok(_) => {
                self.told.remove(work_type);
            }
            Err(reason) if self.told.insert(work_type.to_owned()) => {
                tracing::error!(work_type, "Kafka refuses a topic: {reason}; its work becomes dead letters");
            }
            Err(_) => {}
        }
        self.topics.insert(work_type.to_owned(), found.clone());
        Ok(found)
    }

    async fn make(&self, work_type: &str, topic: &str) -> Result<(), KafkaError> {
        if self.kafka.describe_topic(topic).await?.is_some() {
            return Ok(());
        }
        let name = Work::topic(work_type);
        let created = match topics::TOPICS.iter().find(|spec| spec.name == name) {
            Some(spec) => self.kafka.create_topic(spec).await?,
            None => self.kafka.create_work_topic(work_type).await?,
        };
        if created == Created::Yes {
            tracing::info!(%topic, "topic created");
        }
        Ok(())
    }
}

/// What Kafka says of a topic that it will not let us have; any other trouble as it is.
fn refusal(error: KafkaError) -> Result<String, KafkaError> {
    let is_refusal = error.is_refusal();
    match error {
        KafkaError::Request { what, error: answer } if is_refusal => Ok(format!("{what}: {}", words(&answer))),
        error => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};

    use super::*;

    fn answer(code: Code) -> KafkaError {
        KafkaError::Request { what: "creating topic work.t".to_owned(), error: ClientError::AdminOp(code) }
    }

    #[test]
    fn what_kafka_has_against_one_topic_is_told_from_what_will_pass_and_from_what_is_against_all() {
        for code in
            [Code::InvalidTopic, Code::TopicAuthorizationFailed, Code::PolicyViolation, Code::InvalidReplicationFactor]
        {
            let reason = refusal(answer(code)).unwrap();
            assert!(reason.starts_with("creating topic work.t: ") && reason.contains(&format!("{code:?}")), "{reason}");
        }
        for code in [Code::RequestTimedOut, Code::NotController, Code::BrokerTransportFailure] {
            refusal(answer(code)).unwrap_err();
        }
        refusal(KafkaError::NoAwsIam).unwrap_err();
    }
}
