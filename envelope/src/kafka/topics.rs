//! Creating, comparing and deleting topics: what `init`, `topics`, `doctor` and `reset` do.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::Producer;

use super::{Kafka, KafkaError, TIMEOUT, Watch};
use crate::topics::{EVENT_PARTITIONS, SEVEN_DAYS, TopicSpec, WORK_PARTITIONS};
use crate::work::Work;

/// What became of a topic that was to be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is new.
    Yes,
    /// It was there.
    Existed,
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// Name, with the prefix.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
    /// Replicas of its first partition.
    pub replicas: i32,
    /// Kafka's names and values of its settings; empty if they were not asked for.
    pub config: BTreeMap<String, String>,
}

impl TopicState {
    /// How it differs from what it should be, a line each.
    pub fn drift(&self, spec: &TopicSpec, replication_factor: i32) -> Vec<String> {
        let mut lines = Vec::new();
        if self.partitions != spec.partitions {
            lines.push(format!("has {} partitions, should have {}", self.partitions, spec.partitions));
        }
        if self.replicas != replication_factor {
            lines.push(format!("has {} replicas, KAFKA_REPLICATION_FACTOR is {replication_factor}", self.replicas));
        }
        for (name, wanted) in spec.config {
            match self.config.get(*name) {
                Some(value) if value == wanted => {}
                Some(value) => lines.push(format!("has {name}={value}, should have {name}={wanted}")),
                None => lines.push(format!("has no {name}, should have {name}={wanted}")),
            }
        }
        lines
    }
}

impl Kafka {
    /// Creates a topic (the prefix is put to its name) where there is none.
    ///
    /// # Errors
    /// See [`KafkaError`].
    pub async fn create_topic(&self, spec: &TopicSpec) -> Result<Created, KafkaError> {
        self.create(spec.name, spec.partitions, spec.config).await
    }

    /// Creates the topic of a work type (the prefix is put to its name) where there is none.
    ///
    /// # Errors
    /// See [`KafkaError`].
    pub async fn create_work_topic(&self, work_type: &str) -> Result<Created, KafkaError> {
        self.create(&Work::topic(work_type), WORK_PARTITIONS, SEVEN_DAYS).await
    }

    /// Creates a topic for replays (the prefix is put to its name), as `events.raw` is, where there is none.
    ///
    /// # Errors
    /// See [`KafkaError`].
    pub async fn create_replay_topic(&self, name: &str) -> Result<Created, KafkaError> {
        self.create(name, EVENT_PARTITIONS, SEVEN_DAYS).await
    }

    async fn create(
        &self,
        name: &str,
        partitions: i32,
        config: &[(&'static str, &'static str)],
    ) -> Result<Created, KafkaError> {
        let name = self.topic(name);
        let replication = TopicReplication::Fixed(self.inner.settings.replication_factor);
        let mut topic = NewTopic::new(&name, partitions, replication);
        for (key, value) in config {
            topic = topic.set(key, value);
        }
        let what = || format!("creating topic {name}");
        let results = self
            .admin()?
            .create_topics([&topic], &options())
            .await
            .map_err(|error| KafkaError::Request { what: what(), error })?;
        match outcome(results) {
            None => Ok(Created::Yes),
            Some(RDKafkaErrorCode::TopicAlreadyExists) => Ok(Created::Existed),
            Some(code) => Err(request(what(), code)),
        }
    }

    /// Deletes a topic by its full name; `false` where there was none.
    ///
    /// # Errors
    /// See [`KafkaError`].
    pub async fn delete_topic(&self, name: &str) -> Result<bool, KafkaError> {
        let what = || format!("deleting topic {name}");
        let results = self
            .admin()?
            .delete_topics(&[name], &options())
            .await
            .map_err(|error| KafkaError::Request { what: what(), error })?;
        match outcome(results) {
            None => Ok(true),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(false),
            Some(code) => Err(request(what(), code)),
        }
    }

    /// Every topic whose name starts with the prefix, without its settings, by full name.
    ///
    /// # Errors
    /// See [`KafkaError`].
    pub async fn topics(&self) -> Result<BTreeMap<String, TopicState>, KafkaError> {
        let prefix = self.inner.settings.topic_prefix.clone();
        self.ask(move |prober, within| {
            let metadata = prober
                .client()
                .fetch_metadata(None, within)
                .map_err(|error| KafkaError::Request { what: "listing topics".into(), error })?;
            let known =
                metadata.topics().iter().filter(|topic| topic.error().is_none() && topic.name().starts_with(&prefix));
            let states = known.map(|topic| TopicState {
                name: topic.name().to_owned(),
                partitions: count(topic.partitions().len()),
                replicas: topic.partitions().first().map_or(0, |first| count(first.replicas().len())),
                config: BTreeMap::new(),
            });
            Ok(states.map(|state| (state.name.clone(), state)).collect())
        })
        .await
    }

    /// A topic's settings, by its full name.
    ///
    /// # Errors
    /// See [`KafkaError`].
    pub async fn topic_config(&self, name: &str) -> Result<BTreeMap<String, String>, KafkaError> {
        let what = || format!("reading the settings of topic {name}");
        let specifier = ResourceSpecifier::Topic(name);
        let results = self
            .admin()?
            .describe_configs([&specifier], &options())
            .await
            .map_err(|error| KafkaError::Request { what: what(), error })?;
        let mut entries = BTreeMap::new();
        for result in results {
            let resource = result.map_err(|code| request(what(), code))?;
            entries.extend(resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))));
        }
        Ok(entries)
    }

    fn admin(&self) -> Result<AdminClient<Watch>, KafkaError> {
        self.inner.config.create_with_context(Watch::default()).map_err(|error| KafkaError::Settings(error.to_string()))
    }
}

fn options() -> AdminOptions {
    // The broker waits until each replica knows of it.
    let operation: Option<Duration> = Some(TIMEOUT);
    AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(operation)
}

fn outcome(results: Vec<rdkafka::admin::TopicResult>) -> Option<RDKafkaErrorCode> {
    results.into_iter().find_map(|result| result.err().map(|(_, code)| code))
}

fn request(what: String, code: RDKafkaErrorCode) -> KafkaError {
    KafkaError::Request { what, error: rdkafka::error::KafkaError::AdminOp(code) }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
