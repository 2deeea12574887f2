//! A member of a group whose offsets are committed in Kafka.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lifestream_envelope::backoff;
use lifestream_envelope::kafka::{Kafka, KafkaError};
use lifestream_envelope::outage::Outage;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::offsets::{Offsets, Standing, lock};
use super::positions::{self, Consumes, Position, Positions};
use super::{ConsumerEvent, leave, subscribe};
use crate::AgentError;

/// What a member hears.
#[derive(Debug)]
pub enum MemberEvent {
    /// A record; it counts as open until [`Member::done`].
    Record(OwnedMessage),
    /// The group has given this member its partitions, and they are being read.
    Assigned {
        /// All of them.
        partitions: Vec<i32>,
        /// Those of which everything that came before stays good and will not come again. What is in hand of any other
        /// partition is to be dropped: it comes again, here or at another member.
        kept: Vec<i32>,
    },
    /// The group takes all partitions back, to give them out anew: nothing new is to be begun until then.
    Revoked {
        /// Others have them already: what is in hand is to be dropped.
        lost: bool,
    },
}

/// No task where nothing is to be found out; a task ends with the set that it is in.
type Finding = JoinSet<Result<Positions, AgentError>>;

/// A member that has joined. Whoever works takes records with [`Member::next`], says which are [`Member::done`], in any
/// order, and has them committed by [`Member::commit`]. Kafka being away is waited out, and said once.
pub struct Member {
    kafka: Kafka,
    topic: String,
    consumer: Consumes,
    news: UnboundedReceiver<ConsumerEvent>,
    offsets: Arc<Mutex<Offsets>>,
    /// What the group has given this member; none before the first assignment, and during a rebalance.
    assigned: Option<Vec<i32>>,
    /// Whether assigned partitions are being read.
    ready: bool,
    finding: Finding,
    retry: (Instant, Box<dyn Iterator<Item = Duration> + Send + Sync>),
    paused: bool,
    notes: BTreeMap<i32, String>,
    broker: Outage,
}

impl Member {
    /// Joins the group (named without prefix) for a topic (named without prefix), once that exists. `part` is named in
    /// log lines.
    ///
    /// # Errors
    /// What trying again cannot help.
    pub async fn join(kafka: &Kafka, part: &'static str, group: &str, topic: &str) -> Result<Self, AgentError> {
        let topic = kafka.topic(topic);
        let mut broker = Outage::new(part);
        let mut waits = backoff::forever();
        loop {
            let missing = match kafka.describe_topic(&topic).await {
                Ok(Some(_)) => break,
                Ok(None) => AgentError::TopicMissing(topic.clone()),
                Err(error) if error.is_permanent() => return Err(error.into()),
                Err(error) => error.into(),
            };
            broker.down(&missing);
            tokio::time::sleep(waits.next().unwrap_or_default().min(Duration::from_secs(1))).await;
        }
        let offsets = Arc::new(Mutex::new(Offsets::new(&topic)));
        let (consumer, news) = subscribe(kafka, group, &topic, Some(Arc::clone(&offsets)))?;
        Ok(Self {
            kafka: kafka.clone(),
            topic,
            consumer: Arc::new(consumer),
            news,
            offsets,
            assigned: None,
            ready: false,
            finding: Finding::new(),
            retry: (Instant::now(), Box::new(backoff::forever())),
            paused: false,
            notes: BTreeMap::new(),
            broker,
        })
    }

    /// What comes next. It has to be asked all the time, else the group takes this member for dead
    /// (`max.poll.interval.ms`); who cannot take more records calls [`Member::pause`]. Can be dropped while it waits.
    ///
    /// # Errors
    /// The consumer cannot go on: another one is needed.
    pub async fn next(&mut self) -> Result<MemberEvent, AgentError> {
        loop {
            if let Ok(news) = self.news.try_recv() {
                match self.hear(news) {
                    Some(said) => return Ok(said),
                    None => continue,
                }
            }
            if self.finding.is_empty() && !self.ready && Instant::now() >= self.retry.0 {
                self.find();
            }
            let waits = self.finding.is_empty() && !self.ready && self.assigned.is_some();
            tokio::select! {
                biased;
                Some(news) = self.news.recv() => if let Some(said) = self.hear(news) { return Ok(said); },
                Some(found) = self.finding.join_next() => {
                    let found = found.unwrap_or_else(|panic| Err(KafkaError::Settings(panic.to_string()).into()));
                    match found.and_then(|found| self.begin(found)) {
                        Ok(said) => return Ok(said),
                        Err(error) => {
                            self.broker.down(&error);
                            self.retry.0 = Instant::now() + self.retry.1.next().unwrap_or_default();
                        }
                    }
                }
                message = self.consumer.recv() => {
                    let message = message.map(|message| message.detach());
                    if let Some(message) = self.receive(message)? { return Ok(MemberEvent::Record(message)); }
                }
                () = tokio::time::sleep_until(self.retry.0), if waits => {}
            }
        }
    }

    fn hear(&mut self, news: ConsumerEvent) -> Option<MemberEvent> {
        match news {
            ConsumerEvent::Assigned(partitions) => {
                tracing::info!(topic = self.topic, ?partitions, "partitions assigned");
                self.assigned = Some(partitions);
                self.unsettle();
                None
            }
            ConsumerEvent::Revoked { lost } => {
                tracing::debug!(lost, "partitions revoked");
                self.assigned = None;
                self.unsettle();
                if lost {
                    lock(&self.offsets).retain(&[]);
                }
                Some(MemberEvent::Revoked { lost })
            }
            ConsumerEvent::Uncommitted => {
                lock(&self.offsets).uncommitted();
                None
            }
            ConsumerEvent::Trouble(trouble) => {
                self.broker.down(&trouble);
                None
            }
        }
    }

    /// Where to begin is to be found out anew.
    fn unsettle(&mut self) {
        self.ready = false;
        self.finding = Finding::new();
        self.retry = (Instant::now(), Box::new(backoff::forever()));
    }

    /// Asks for what is committed and what is there.
    fn find(&mut self) {
        let Some(assigned) = self.assigned.clone() else { return };
        let (kafka, topic, consumer) = (self.kafka.clone(), self.topic.clone(), Arc::clone(&self.consumer));
        self.finding.spawn(async move { positions::of(&kafka, &consumer, &topic, &assigned).await });
    }

    /// Reads the assigned partitions: on from where they stand in hand, else from where they were committed.
    fn begin(&mut self, found: Positions) -> Result<MemberEvent, AgentError> {
        let mut fetch = TopicPartitionList::new();
        let (mut partitions, mut kept) = (Vec::new(), Vec::new());
        {
            let mut offsets = lock(&self.offsets);
            offsets.of_topic(&found.topic_id);
            partitions.extend(found.partitions.iter().map(|place| place.partition));
            offsets.retain(&partitions);
            for Position { partition, begin, range: (low, high) } in found.partitions {
                let in_hand = offsets.next(partition).filter(|next| (low..=high).contains(next));
                // Somebody else has come further meanwhile.
                let in_hand = in_hand.filter(|next| *next >= begin.at);
                if let Some(note) = &begin.note {
                    if self.notes.get(&partition) != Some(note) {
                        tracing::error!(topic = self.topic, partition, low, high, "{note}");
                    }
                    self.notes.insert(partition, note.clone());
                }
                if in_hand.is_some() {
                    kept.push(partition);
                } else {
                    offsets.begin(partition, begin.at);
                }
                fetch.add_partition_offset(&self.topic, partition, Offset::Offset(in_hand.unwrap_or(begin.at)))?;
            }
        }
        self.consumer.assign(&fetch)?;
        if self.paused {
            self.consumer.pause(&fetch)?;
        }
        tracing::debug!(?fetch, ?kept, "fetching");
        self.broker.over();
        self.ready = true;
        Ok(MemberEvent::Assigned { partitions, kept })
    }

    /// A message, or what the client says instead of one.
    fn receive(&mut self, message: Result<OwnedMessage, ClientError>) -> Result<Option<OwnedMessage>, AgentError> {
        match message {
            Ok(message) => {
                self.broker.over();
                let written = message.timestamp().to_millis();
                let is_new = self.ready && lock(&self.offsets).receive(message.partition(), message.offset(), written);
                Ok(is_new.then_some(message))
            }
            Err(ClientError::MessageConsumption(code)) => {
                match code {
                    // Deleted under us, or another topic: finding where to begin tells which.
                    RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => self.unsettle(),
                    // Told by the client's error callback as well.
                    RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown => {}
                    RDKafkaErrorCode::PartitionEOF => {}
                    // Said by the rebalance that follows.
                    RDKafkaErrorCode::PollExceeded => tracing::warn!(
                        topic = self.topic,
                        "the group took this member for dead: nobody asked for records within max.poll.interval.ms"
                    ),
                    RDKafkaErrorCode::UnknownTopicOrPartition => {
                        self.broker.down(&AgentError::TopicMissing(self.topic.clone()));
                    }
                    code => self.broker.down(&format!("topic {}: {code}", self.topic)),
                }
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The topic's name, with its prefix.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// A record has been dealt with, and everything that it led to is safe.
    pub fn done(&self, partition: i32, offset: i64) {
        lock(&self.offsets).done(partition, offset);
    }

    /// Whether a record that came is not done yet.
    pub fn is_open(&self) -> bool {
        lock(&self.offsets).is_open()
    }

    /// Whether the group has given this member its partitions (maybe none) and they are being read.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Where this member's partitions stand.
    pub fn standing(&self) -> Vec<Standing> {
        lock(&self.offsets).standing()
    }

    /// What has to be said about records that are missing, by partition.
    pub fn note(&self, partition: i32) -> Option<&str> {
        self.notes.get(&partition).map(String::as_str)
    }

    /// Takes no more records until [`Member::resume`]; everything else goes on.
    pub fn pause(&mut self) {
        self.set_paused(true);
    }

    /// Takes records again.
    pub fn resume(&mut self) {
        self.set_paused(false);
    }

    fn set_paused(&mut self, paused: bool) {
        if self.paused == paused {
            return;
        }
        self.paused = paused;
        let mut list = TopicPartitionList::new();
        for partition in self.assigned.iter().flatten().filter(|_| self.ready) {
            list.add_partition(&self.topic, *partition);
        }
        let told = if paused { self.consumer.pause(&list) } else { self.consumer.resume(&list) };
        if let Err(error) = told {
            // Not fetched where it should be: finding where to begin assigns anew.
            tracing::debug!(%error, paused, "pausing");
            self.unsettle();
        }
    }

    /// Has Kafka told how far everything is done, without waiting for its answer; `false` where there is nothing new.
    pub fn commit(&mut self) -> bool {
        if !self.ready {
            return false;
        }
        let Some(list) = lock(&self.offsets).to_commit() else { return false };
        if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
            tracing::debug!(%error, "committing offsets");
            lock(&self.offsets).uncommitted();
        }
        true
    }

    /// The same, and waits for the answer.
    ///
    /// # Errors
    /// Kafka has not taken it: it is away, or partitions have gone to another member.
    pub async fn commit_now(&mut self) -> Result<(), AgentError> {
        if !self.ready {
            return Ok(());
        }
        let Some(list) = lock(&self.offsets).to_commit() else { return Ok(()) };
        let consumer = Arc::clone(&self.consumer);
        let answer = positions::off_thread(move || consumer.commit(&list, CommitMode::Sync)).await;
        if answer.is_err() {
            lock(&self.offsets).uncommitted();
        }
        answer
    }

    /// Whether the group has committed everything that is on the topic now, whichever member had it.
    ///
    /// # Errors
    /// Kafka does not answer.
    pub async fn is_drained(&self) -> Result<bool, AgentError> {
        positions::is_drained(&self.kafka, &self.consumer, &self.topic).await
    }

    /// Commits and leaves the group.
    pub async fn leave(mut self) {
        if let Err(error) = self.commit_now().await {
            tracing::debug!(%error, "committing before leaving");
        }
        self.finding.shutdown().await;
        let Self { consumer, .. } = self;
        if let Some(consumer) = Arc::into_inner(consumer) {
            leave(consumer).await;
        }
    }
}
