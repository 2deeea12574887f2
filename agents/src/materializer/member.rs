//! One member of the group at work: from joining to leaving, or to the first trouble that needs a new start.

use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use lifestream_envelope::kafka::Kafka;
use lifestream_envelope::outage::Outage;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::{Until, backoff, topics};
use rdkafka::consumer::{CommitMode, Consumer, MessageStream, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::batch::Hand;
use super::consumer::{News, Reports, leave, subscribe};
use super::error::MaterializerError;
use super::options::Options;
use super::parking::Held;
use super::positions::{Place, Positions};
use super::projections::Plan;
use super::record::Record;
use super::start::{self, Start};
use super::store::Store;

/// How often committed offsets are told to Kafka, for tools that show lag.
const TELL_KAFKA: Duration = Duration::from_secs(1);
/// How often projections and parked subjects are read again, should a notification have been lost, and the topic is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How often an idle member asks whether all is done, where it may leave then.
const ASK_IDLE: Duration = Duration::from_millis(100);

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
        let (consumer, mut news) = subscribe(self.kafka, &self.options.group, &self.topic)?;
        let ended = self.consume(&consumer, &mut news, shutdown).await;
        self.tell_kafka(&consumer);
        leave(consumer).await;
        ended
    }

    async fn consume(
        &mut self,
        consumer: &StreamConsumer<Reports>,
        news: &mut UnboundedReceiver<News>,
        shutdown: &CancellationToken,
    ) -> Result<(), MaterializerError> {
        let mut messages = consumer.stream();
        loop {
            while let Ok(news) = news.try_recv() {
                self.hear(news);
            }
            self.get_ready(consumer).await?;
            let wait = self.next_look();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                Some(news) = news.recv() => self.hear(news),
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

    fn hear(&mut self, news: News) {
        match news {
            News::Assigned(partitions) => {
                tracing::info!(topic = self.topic, ?partitions, "partitions assigned");
                self.assigned = Some(partitions);
            }
            News::Revoked => {
                tracing::debug!("partitions revoked");
                self.assigned = None;
            }
            News::Trouble(trouble) => return self.broker.down(&trouble),
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
        if matches!(error, MaterializerError::Overtaken) {
            tracing::debug!(%error);
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
                self.ready = true;
                self.worked = true;
            }
            // A wrong DSN at the very start is told at once; later, what worked before is waited for.
            Err(error) if error.is_permanent() && !self.worked => return Err(error),
            Err(error) => self.stumble(&error),
        }
        Ok(())
    }

    async fn settle(&mut self, consumer: &StreamConsumer<Reports>) -> Result<(), MaterializerError> {
        let assigned = self.assigned.clone().unwrap_or_default();
        let store = match self.store.take() {
            Some(store) if !store.client().is_closed() => store,
            _ => Store::open(&self.settings.postgres, &self.group, &self.topic).await?,
        };
        let store = self.store.insert(store);
        if store.plan.is_outdated(&store.session.client).await? {
            store.plan = Plan::load(&store.session.client).await?;
        }
        self.held = Held::load(store.client(), &self.group).await?;
        // Stored offsets before Kafka's ends: the ends only grow meanwhile.
        let stored = store.stored().await?;
        let topic = self.kafka.describe_topic(&self.topic).await?;
        let topic = topic.ok_or_else(|| MaterializerError::TopicMissing(self.topic.clone()))?;
        let ends = self.kafka.offsets(&self.topic, topic.partitions).await?;
        let (mut positions, mut stopped) = (Positions::default(), Vec::new());
        for partition in assigned {
            let Some((low, high)) = usize::try_from(partition).ok().and_then(|at| ends.get(at)).copied() else {
                return Err(MaterializerError::Overtaken);
            };
            let known = stored.iter().find(|stored| stored.partition == partition);
            match start::of(&self.topic, &topic.id, partition, known, low, high) {
                Start::Fresh { at } => {
                    if at > 0 {
                        tracing::warn!(
                            topic = self.topic,
                            partition,
                            offset = at,
                            "first record that is left: `lifestream rebuild` applies the events before it"
                        );
                    }
                    store.begin_partition(partition, at, &topic.id).await?;
                    positions.set(partition, at);
                }
                Start::Resume { at } => positions.set(partition, at),
                Start::PassOver { stored, at, note } => {
                    tracing::error!(topic = self.topic, partition, stored, low, "{note}");
                    store.note(partition, stored, at, &note).await?;
                    positions.set(partition, at);
                }
                Start::Stop { stored, note } => {
                    if !self.stopped.contains(&note) {
                        tracing::error!(topic = self.topic, partition, stored, low, high, "{note}");
                    }
                    store.note(partition, stored, stored, &note).await?;
                    stopped.push(note);
                }
            }
        }
        let mut fetch = TopicPartitionList::new();
        for (partition, next) in positions.iter() {
            fetch.add_partition_offset(&self.topic, partition, Offset::Offset(next))?;
        }
        consumer.assign(&fetch)?;
        self.broker.over();
        tracing::debug!(?positions, "fetching");
        self.positions = positions;
        self.stopped = stopped;
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
        self.take_notifications().await;
        let Some(store) = self.store.as_ref() else { return self.unsettle() };
        if !self.ready || batch.is_empty() {
            return;
        }
        let mut hand = Hand { store, positions: &mut self.positions, held: &mut self.held };
        if let Err(error) = hand.apply(batch).await {
            self.stumble(&error);
        }
    }

    /// Projections that came or went, parked events that were released: seen before the next batch is applied.
    async fn take_notifications(&mut self) {
        let Some(store) = self.store.as_mut() else { return };
        let (mut projections, mut parked) = (false, false);
        while let Ok(notification) = store.session.notifications.try_recv() {
            projections |= notification.channel() == super::PROJECTIONS;
            parked |= notification.channel() == super::PARKED;
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
            self.held = Held::load(&store.session.client, &self.group).await?;
        }
        Ok(())
    }

    /// Every few seconds: is the topic still the same, are projections and parked subjects as they were read?
    async fn look_again(&mut self) {
        if self.looked.elapsed() < LOOK_AGAIN {
            return;
        }
        self.looked = Instant::now();
        if !self.ready {
            return;
        }
        if let Err(error) = self.refresh(true, !self.held.is_empty()).await {
            return self.stumble(&error);
        }
        if !self.stopped.is_empty() || !self.is_same_topic().await {
            self.unsettle();
        }
    }

    async fn is_same_topic(&self) -> bool {
        let (Some(store), Ok(topic)) = (self.store.as_ref(), self.kafka.describe_topic(&self.topic).await) else {
            // Kafka does not answer: nothing is known to have changed.
            return true;
        };
        match (topic, store.stored().await) {
            (Some(topic), Ok(stored)) => {
                stored.iter().all(|row| row.topic_id.as_ref().is_none_or(|known| *known == topic.id))
            }
            (None, _) => false,
            (_, Err(_)) => true,
        }
    }

    /// Whether every partition is applied to its end, where the member is to leave then. Counts the whole topic, for
    /// partitions of a member that died come to this one only after a while.
    async fn is_done(&mut self) -> Result<bool, MaterializerError> {
        if self.until != Until::Idle || !self.ready {
            return Ok(false);
        }
        if !self.stopped.is_empty() {
            return Err(MaterializerError::Stopped(self.stopped.join("; ")));
        }
        let Some(store) = self.store.as_ref() else { return Ok(false) };
        let asked = async {
            let topic = self.kafka.describe_topic(&self.topic).await?;
            let topic = topic.ok_or_else(|| MaterializerError::TopicMissing(self.topic.clone()))?;
            let ends = self.kafka.offsets(&self.topic, topic.partitions).await?;
            let stored = store.stored().await?;
            Ok::<_, MaterializerError>((0..).zip(ends).all(|(partition, (low, high))| {
                low == high || stored.iter().any(|row| row.partition == partition && row.next >= high)
            }))
        };
        match asked.await {
            Ok(done) => Ok(done),
            Err(error) => {
                self.stumble(&error);
                Ok(false)
            }
        }
    }

    /// How long nothing needs to be done if nothing comes.
    fn next_look(&self) -> Duration {
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
            Ok(()) => self.told.1 = self.positions.clone(),
            Err(error) => tracing::debug!(%error, "telling Kafka the offsets"),
        }
    }
}
