//! Handing work on: to its topic, which is made where there is none.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use lifestream_envelope::kafka::{Created, Kafka};
use lifestream_envelope::topics;
use lifestream_envelope::work::Work;

use crate::AgentError;
use crate::producer::{Outgoing, Producer};

/// Sends to work topics.
pub struct Handing {
    kafka: Kafka,
    /// None after a failure: a message of the old one that is still under way would arrive behind its repeat.
    producer: Option<Producer>,
    topics: HashMap<String, Arc<str>>,
}

impl Handing {
    /// Connects when it is first needed.
    pub fn new(kafka: &Kafka) -> Self {
        Self { kafka: kafka.clone(), producer: None, topics: HashMap::new() }
    }

    /// The topic of a work type, or that of the dead letters. Seen for the first time, it is made if it is not there.
    ///
    /// # Errors
    /// As Kafka has it.
    pub async fn topic(&mut self, work_type: &str) -> Result<Arc<str>, AgentError> {
        if let Some(topic) = self.topics.get(work_type) {
            return Ok(Arc::clone(topic));
        }
        let name = Work::topic(work_type);
        let topic: Arc<str> = self.kafka.topic(&name).into();
        if self.kafka.describe_topic(&topic).await?.is_none() {
            let created = match topics::TOPICS.iter().find(|spec| spec.name == name) {
                Some(spec) => self.kafka.create_topic(spec).await?,
                None => self.kafka.create_work_topic(work_type).await?,
            };
            if created == Created::Yes {
                tracing::info!(%topic, "topic created");
            }
        }
        self.topics.insert(work_type.to_owned(), Arc::clone(&topic));
        Ok(topic)
    }

    /// Makes the topics of these work types where they are missing.
    ///
    /// # Errors
    /// As Kafka has it.
    pub async fn topics(&mut self, work_types: &BTreeSet<&str>) -> Result<(), AgentError> {
        for work_type in work_types {
            self.topic(work_type).await?;
        }
        Ok(())
    }

    /// The message of a piece of work.
    ///
    /// # Errors
    /// As [`Handing::topic`].
    pub async fn message(&mut self, work: &Work) -> Result<Outgoing, AgentError> {
        let topic = self.topic(&work.work_type).await?;
        // Every field has a JSON form.
        let value = Some(work.value().unwrap_or_default());
        Ok(Outgoing { topic, key: work.subject_id.clone(), value, headers: work.kafka_headers() })
    }

    /// Sends all and waits until Kafka has them; gives the places of those that it refuses for good, with its words.
    ///
    /// # Errors
    /// As Kafka has it: some may have been sent. The topics are looked for anew then.
    pub async fn send(&mut self, messages: &[Outgoing]) -> Result<Vec<(usize, String)>, AgentError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let producer = match &self.producer {
            Some(producer) => producer,
            None => self.producer.insert(Producer::new(&self.kafka)?),
        };
        match producer.send(messages).await {
            Ok(refused) => Ok(refused.into_iter().map(|refusal| (refusal.number, refusal.reason)).collect()),
            Err(error) => {
                self.producer = None;
                self.topics.clear();
                Err(error)
            }
        }
    }
}
