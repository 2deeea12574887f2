//! One member of the group at work: from joining to leaving, or to the first trouble that needs a new start.

mod look;
mod settle;

use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use lifestream_envelope::kafka::Kafka;
use lifestream_envelope::outage::Outage;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::{Until, backoff, channels, failpoint, topics};
use rdkafka::consumer::{CommitMode, Consumer, MessageStream, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_postgres::Notification;
use tokio_util::sync::CancellationToken;

use super::batch::Hand;
use super::error::MaterializerError;
use super::fault::{self, Fault};
use super::options::Options;
use super::parking::Held;
use super::positions::{Place, Positions};
use super::projections::Plan;
use super::record::Record;
use super::release;
use super::store::Store;
use crate::consumer::{ConsumerEvent, Reports, leave, subscribe};

/// How often committed offsets are told to Kafka, for tools that show lag.
const TELL_KAFKA: Duration = Duration::from_secs(1);
/// How often projections and parked subjects are read again, should a notification have been lost, and the topic is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How often an idle member asks whether all is done, where it may leave then.
const ASK_IDLE: Duration = Duration::from_millis(100);

/// How long to wait before reading again what somebody else has changed, and may be changing still.
const AFTER_CHANGE: Duration = Duration::from_millis(10);

type Messages<'c> = MessageStream<'c, Reports>;

/// A member and what it knows.
pub struct Member<'a> {
    settings: &'a Settings,
    kafka: &'a Kafka,
    options: &'a Options,
    until: Until,
    group: String,
    topic: String,
    /// What the group has given this member; none before the first assignment.
    assigned: Option<Vec<i32>>,
    /// The connection; none while Postgres is away.
    store: Option<Store>,
    /// Where partitions stand; empty while they have to be found out.
    positions: Positions,
    held: Held,
    /// What holds partitions up that were assigned all the same.
    stopped: Vec<String>,
    /// Whether positions are what is stored and fetching goes on from there.
    ready: bool,
    worked: bool,
    /// Whether somebody may have decided about what is parked.
    deciding: bool,
    /// Until when to wait before the next try to get ready, and how long the wait after that is.
    retry: (Instant, Box<dyn Iterator<Item = Duration> + Send + Sync>),
    away: Outage,
    broker: Outage,
    told: (Instant, Positions),
    looked: Instant,
}

impl<'a> Member<'a> {
    /// A member that has not joined yet.
    pub fn new(settings: &'a Settings, kafka: &'a Kafka, options: &'a Options, until: Until) -> Self {
        let now = Instant::now();
        Self {
            settings,
            kafka,
            options,
            until,
            group: kafka.group(&options.group),
            topic: kafka.topic(topics::EVENTS_RAW),
            assigned: None,
            store: None,
            positions: Positions::default(),
            held: Held::default(),
            stopped: Vec::new(),
            ready: false,
            worked: false,
            deciding: false,
            retry: (now, Box::new(backoff::forever())),
            away: Outage::new("materializer"),
            broker: Outage::new("materializer: Kafka"),
            told: (now, Positions::default()),
            looked: now,
        }
    }

    /// Whether it came as far as being ready to apply.
    pub fn has_worked(&self) -> bool {
        self.worked
    }

    /// Works until told to stop, or until all is applied where that was asked for.
    ///
    /// # Errors
    /// What needs another consumer, or cannot be helped at all.
    pub async fn work(&mut self, shutdown: &CancellationToken) -> Result<(), MaterializerError> {
        tokio::select! {
            connected = self.connect() => {
                connected?;
            }
            () = shutdown.cancelled() => return Ok(()),
        }
        let (consumer, mut news) = subscribe(self.kafka, &self.options.group, &self.topic, None)?;
        let ended = self.consume(&consumer, &mut news, shutdown).await;
        self.tell_kafka(&consumer);
        leave(consumer).await;
        ended
    }

    async fn consume(
        &mut self,
        consumer: &StreamConsumer<Reports>,
        news: &mut UnboundedReceiver<ConsumerEvent>,
        shutdown: &CancellationToken,
    ) -> Result<(), MaterializerError> {
        let mut messages = consumer.stream();
        loop {
            while let Ok(news) = news.try_recv() {
                self.hear(news);
            }
            self.get_ready(consumer).await?;
            self.carry_out().await;
            let wait = self.next_look();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                Some(news) = news.recv() => self.hear(news),
                Some(notification) = notified(&mut self.store) => self.take_notifications(Some(notification)).await,
                Some(message) = messages.next() => {
                    if let Some(first) = self.receive(message)? {
                        self.take(first, &mut messages).await?;
                    }
                }
                () = tokio::time::sleep(wait) => {
                    if self.is_done().await? {
                        return Ok(());
                    }
                }
            }
            if self.told.0.elapsed() >= TELL_KAFKA {
                self.tell_kafka(consumer);
            }
            self.look_again().await;
        }
    }

    fn hear(&mut self, news: ConsumerEvent) {
        match news {
            ConsumerEvent::Assigned(partitions) => {
                tracing::info!(topic = self.topic, ?partitions, "partitions assigned");
                self.assigned = Some(partitions);
            }
            ConsumerEvent::Revoked { .. } => {
                tracing::debug!("partitions revoked");
                self.assigned = None;
            }
            // Kafka's copy of the offsets is for tools; the next commit holds them too.
            ConsumerEvent::Uncommitted => return,
            ConsumerEvent::Trouble(trouble) => return self.broker.down(&trouble),
        }
        self.unsettle();
        self.retry = (Instant::now(), Box::new(backoff::forever()));
    }

    /// From here on nothing is applied until positions have been read again.
    fn unsettle(&mut self) {
        self.ready = false;
        self.positions = Positions::default();
    }

    /// Something is away or has changed: says so once, and tries again after a while.
    fn stumble(&mut self, error: &MaterializerError) {
        self.unsettle();
        if fault::of(error) == Fault::Overtaken {
            tracing::debug!(%error);
            self.retry.0 = Instant::now() + AFTER_CHANGE;
        } else {
            self.away.down(error);
            self.retry.0 = Instant::now() + self.retry.1.next().unwrap_or_default();
        }
        if self.store.as_ref().is_some_and(|store| store.client().is_closed()) {
            self.store = None;
        }
    }

    /// Connects, reads positions and starts fetching from them, as far as that is not done yet.
    async fn get_ready(&mut self, consumer: &StreamConsumer<Reports>) -> Result<(), MaterializerError> {
        if self.ready || self.assigned.is_none() || Instant::now() < self.retry.0 {
            return Ok(());
        }
        match self.settle(consumer).await {
            Ok(()) => {
                self.away.over();
                self.retry = (Instant::now(), Box::new(backoff::forever()));
                (self.ready, self.worked, self.deciding) = (true, true, true);
            }
            // A wrong DSN at the very start is told at once; later, what worked before is waited for.
            Err(error) if error.is_permanent() && !self.worked => return Err(error),
            // Another database than before: the group must not wait for this member.
            Err(error @ MaterializerError::HeldBack(_)) => return Err(error),
            Err(error) => self.stumble(&error),
        }
        Ok(())
    }

    /// A message, or what the client says instead of one.
    fn receive<'c>(
        &mut self,
        message: Result<BorrowedMessage<'c>, KafkaError>,
    ) -> Result<Option<BorrowedMessage<'c>>, MaterializerError> {
        match message {
            Ok(message) => {
                self.broker.over();
                Ok(Some(message))
            }
            Err(KafkaError::MessageConsumption(code)) => {
                match code {
                    // Deleted under us, or another topic: the start procedure tells which.
                    RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => self.unsettle(),
                    // Told by the client's error callback as well.
                    RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown => {}
                    RDKafkaErrorCode::PartitionEOF => {}
                    RDKafkaErrorCode::UnknownTopicOrPartition => {
                        self.broker.down(&MaterializerError::TopicMissing(self.topic.clone()));
                    }
                    code => self.broker.down(&format!("topic {}: {code}", self.topic)),
                }
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Collects what has come along with the first message, without waiting for more, and applies it.
    async fn take<'c>(
        &mut self,
        first: BorrowedMessage<'c>,
        messages: &mut Messages<'c>,
    ) -> Result<(), MaterializerError> {
        let mut batch = Vec::new();
        let mut reached = self.positions.clone();
        let (mut bytes, mut next) = (0, Some(first));
        while let Some(message) = next.take() {
            match reached.place(message.partition(), message.offset()) {
                Place::Next => {}
                Place::Not => {
                    next = self.more(messages)?;
                    continue;
                }
                Place::After { expected } => {
                    if self.is_gap(message.partition(), expected, message.offset()).await {
                        // What is collected is applied; the start procedure then finds out about the gap.
                        self.apply(&batch).await;
                        self.unsettle();
                        return Ok(());
                    }
                }
            }
            reached.pass(message.partition(), message.offset());
            bytes += message.payload_len();
            batch.push(Record::read(message));
            if batch.len() < self.options.batch_records && bytes < self.options.batch_bytes {
                next = self.more(messages)?;
            }
        }
        if !batch.is_empty() {
            self.apply(&batch).await;
        }
        Ok(())
    }

    fn more<'c>(&mut self, messages: &mut Messages<'c>) -> Result<Option<BorrowedMessage<'c>>, MaterializerError> {
        match messages.next().now_or_never().flatten() {
            Some(message) => self.receive(message),
            None => Ok(None),
        }
    }

    /// Whether records that this member should have had are gone from Kafka. (Offsets without a record are left by
    /// compaction and by other producers' transactions too.)
    async fn is_gap(&mut self, partition: i32, expected: i64, found: i64) -> bool {
        let partitions = partition + 1;
        match self.kafka.offsets(&self.topic, partitions).await {
            Ok(ends) => {
                let low = ends.last().map_or(0, |(low, _)| *low);
                tracing::debug!(partition, expected, found, low, "offsets without a record");
                low > expected
            }
            Err(_) => true,
        }
    }

    async fn apply(&mut self, batch: &[Record<'_>]) {
        self.take_notifications(None).await;
        let Some(store) = self.store.as_ref() else { return self.unsettle() };
        if !self.ready || batch.is_empty() {
            return;
        }
        let mut hand = Hand { store, positions: &mut self.positions, held: &mut self.held };
        if let Err(error) = hand.apply(batch).await {
            self.stumble(&error);
        }
    }

    /// Projections that came or went, parked events that were decided about: seen before the next batch is applied.
    async fn take_notifications(&mut self, first: Option<Notification>) {
        let Some(store) = self.store.as_mut() else { return };
        let (mut projections, mut parked) = (false, false);
        let mut next = first.or_else(|| store.session.notifications.try_recv().ok());
        while let Some(notification) = next {
            projections |= notification.channel() == super::PROJECTIONS;
            parked |= notification.channel() == channels::PARKED;
            next = store.session.notifications.try_recv().ok();
        }
        if let Err(error) = self.refresh(projections, parked).await {
            self.stumble(&error);
        }
    }

    async fn refresh(&mut self, projections: bool, parked: bool) -> Result<(), MaterializerError> {
        let Some(store) = self.store.as_mut() else { return Ok(()) };
        if projections && store.plan.is_outdated(&store.session.client).await? {
            store.plan = Plan::load(&store.session.client).await?;
            tracing::info!("projections read again");
        }
        if parked {
            self.deciding = true;
            self.held = Held::load(store.client(), &self.group).await?;
        }
        Ok(())
    }

    /// A step of what was decided about parked events, between two batches.
    async fn carry_out(&mut self) {
        let Some(store) = self.store.as_ref().filter(|_| self.ready && self.deciding) else { return };
        match release::step(store).await {
            Ok(more) => self.deciding = more,
            Err(error) => self.stumble(&error),
        }
    }

    /// How long nothing needs to be done if nothing comes.
    fn next_look(&self) -> Duration {
        if self.ready && self.deciding {
            return Duration::ZERO;
        }
        if !self.ready && self.assigned.is_some() {
            return self.retry.0.saturating_duration_since(Instant::now()).min(LOOK_AGAIN);
        }
        if self.until == Until::Idle && self.ready { ASK_IDLE } else { TELL_KAFKA }
    }

    /// Commits to Kafka what is committed here, best effort: nobody starts from there, tools read it.
    fn tell_kafka(&mut self, consumer: &StreamConsumer<Reports>) {
        self.told.0 = Instant::now();
        if self.positions == self.told.1 || self.positions.iter().next().is_none() {
            return;
        }
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in self.positions.iter() {
            if let Err(error) = offsets.add_partition_offset(&self.topic, partition, Offset::Offset(next)) {
                tracing::debug!(%error);
            }
        }
        match consumer.commit(&offsets, CommitMode::Async) {
            Ok(()) => {
                failpoint!("materializer.told");
                self.told.1 = self.positions.clone();
            }
            Err(error) => tracing::debug!(%error, "telling Kafka the offsets"),
        }
    }
}

/// The next notification; never comes while there is no connection.
async fn notified(store: &mut Option<Store>) -> Option<Notification> {
    match store {
        Some(store) => store.session.notifications.recv().await,
        None => std::future::pending().await,
    }
}
