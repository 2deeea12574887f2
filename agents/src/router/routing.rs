//! A member of the router's group: collects records, has them routed batch by batch, and commits.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use lifestream_envelope::kafka::Kafka;
use lifestream_envelope::{Until, failpoint, topics};
use rdkafka::message::{Message, OwnedMessage};
use tokio_util::sync::CancellationToken;

use super::pending::COUNT_DUE;
use super::tags::{Keeper, Seen};
use super::worker::Worker;
use crate::consumer::{Member, MemberEvent, Progress};
use crate::{AgentError, Database};

/// Most records in one batch.
const BATCH_RECORDS: usize = 4_000;
/// Most bytes of record values in one batch; one larger record makes a batch of its own.
const BATCH_BYTES: usize = 8 << 20;
/// How long nobody asks for records while a batch takes its time.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often an idle router looks whether the routes have changed.
const LOOK: Duration = Duration::from_secs(1);
/// How often an idle router asks whether all is done, where it may leave then.
const ASK_IDLE: Duration = Duration::from_millis(100);

/// A batch that is being routed; gives the worker back, the records, and whether they were routed.
type Routing = Pin<Box<dyn Future<Output = (Worker, Vec<OwnedMessage>, bool)> + Send>>;

/// A router and what it has in hand.
pub struct Router {
    kafka: Kafka,
    group: String,
    until: Until,
    /// None while it routes.
    worker: Option<Worker>,
    routing: Option<Routing>,
    /// What comes next: collected while a batch is being routed.
    records: Vec<OwnedMessage>,
    bytes: usize,
    /// Whether the group is giving partitions out anew: nothing is begun.
    held: bool,
    seen: Arc<Mutex<Seen>>,
    keeper: Arc<tokio::sync::Mutex<Keeper>>,
    database: Arc<Database>,
    /// Since when the next batch waits for the one under way.
    full_since: Option<Instant>,
    looked: Instant,
    worked: bool,
}

impl Router {
    /// One that has not joined yet.
    pub fn new(
        kafka: &Kafka,
        group: &str,
        until: Until,
        worker: Worker,
        seen: Arc<Mutex<Seen>>,
        keeper: Arc<tokio::sync::Mutex<Keeper>>,
        database: Arc<Database>,
    ) -> Self {
        Self {
            kafka: kafka.clone(),
            group: group.to_owned(),
            until,
            worker: Some(worker),
            routing: None,
            records: Vec::new(),
            bytes: 0,
            held: false,
            seen,
            keeper,
            database,
            full_since: None,
            looked: Instant::now(),
            worked: false,
        }
    }

    /// Whether it came as far as having partitions.
    pub fn has_worked(&self) -> bool {
        self.worked
    }

    /// Joins and works until told to stop, or until all is routed where that was asked for.
    ///
    /// # Errors
    /// What needs another consumer, or cannot be helped at all.
    pub async fn work(&mut self, shutdown: &CancellationToken) -> Result<(), AgentError> {
        // A wrong DSN is told at once, and topics of new routes are made before anything is routed.
        if let Some(worker) = &mut self.worker {
            worker.look().await?;
        }
        self.database.claim().await?;
        let joining = Member::join(&self.kafka, "router: Kafka", &self.group, topics::EVENTS_RAW);
        let mut member = tokio::select! {
            joined = joining => joined?,
            () = shutdown.cancelled() => return Ok(()),
        };
        let mut progress = Progress::new(&self.kafka, &self.database, "router", &self.group);
        let ended = self.consume(&mut member, &mut progress, shutdown).await;
        if let Some(routing) = self.routing.take() {
            let routed = routing.await;
            self.routed(&mut member, routed);
        }
        (self.records, self.bytes, self.held) = (Vec::new(), 0, false);
        self.assigned(&[]);
        progress.finish(&member).await;
        member.leave().await;
        ended
    }

    async fn consume(
        &mut self,
        member: &mut Member,
        progress: &mut Progress,
        shutdown: &CancellationToken,
    ) -> Result<(), AgentError> {
        loop {
            self.begin(shutdown);
            let asks = self.set_pace(member);
            let wait = if self.until == Until::Idle { ASK_IDLE } else { LOOK };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                routed = async { match &mut self.routing { Some(routing) => routing.await, None => std::future::pending().await } } => {
                    self.routing = None;
                    self.routed(member, routed);
                }
                said = member.next(), if asks => {
                    self.hear(said?);
                    // What has come along with it, without waiting for more.
                    while !self.is_full() && let Some(said) = member.next().now_or_never() {
                        self.hear(said?);
                    }
                }
                () = tokio::time::sleep(wait) => {
                    if self.until == Until::Idle && self.is_done(member).await? {
                        return Ok(());
                    }
                }
            }
            self.look().await?;
            progress.tick(member);
        }
    }

    fn hear(&mut self, said: MemberEvent) {
        match said {
            MemberEvent::Record(record) => {
                self.bytes += size(&record);
                self.records.push(record);
            }
            MemberEvent::Revoked { lost } => {
                self.held = true;
                self.keep(if lost { &[] } else { return });
            }
            MemberEvent::Assigned { partitions, kept } => {
                (self.held, self.worked) = (false, true);
                self.keep(&kept);
                self.assigned(&partitions);
            }
        }
    }

    /// Drops the records of other partitions: they come again, here or at another member.
    fn keep(&mut self, partitions: &[i32]) {
        self.records.retain(|record| partitions.contains(&record.partition()));
        self.bytes = self.records.iter().map(size).sum();
    }

    fn assigned(&self, partitions: &[i32]) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).assigned(partitions);
    }

    fn is_full(&self) -> bool {
        self.records.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }

    /// Whether to ask for more. While the next batch is collected already, not: the one under way is done soon. Only
    /// where that takes long the partitions are paused, so that the group hears of this member all the same; librdkafka
    /// then throws away what it has fetched, and takes most of a second to fetch it again.
    fn set_pace(&mut self, member: &mut Member) -> bool {
        if !self.is_full() {
            self.full_since = None;
            member.resume();
            return true;
        }
        let is_long = self.full_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE;
        if is_long {
            member.pause();
        }
        is_long
    }

    /// Begins the next batch, if there is one and none is under way.
    fn begin(&mut self, shutdown: &CancellationToken) {
        if self.held || self.records.is_empty() {
            return;
        }
        let Some(mut worker) = self.worker.take() else { return };
        let (records, shutdown) = (std::mem::take(&mut self.records), shutdown.clone());
        self.bytes = 0;
        self.routing = Some(Box::pin(async move {
            let routed = worker.route(&records, &shutdown).await;
            (worker, records, routed)
        }));
    }

    fn routed(&mut self, member: &mut Member, (worker, records, routed): (Worker, Vec<OwnedMessage>, bool)) {
        self.worker = Some(worker);
        if routed {
            for record in &records {
                member.done(record.partition(), record.offset());
            }
            member.commit();
            failpoint!("router.committed");
        }
    }

    /// Routes that changed while nothing came: their topics are made at once.
    async fn look(&mut self) -> Result<(), AgentError> {
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        match &mut self.worker {
            Some(worker) => worker.look().await,
            None => Ok(()),
        }
    }

    /// Whether all that is there is routed, by whichever member, nothing is due, and the catalog is as it should be.
    async fn is_done(&mut self, member: &mut Member) -> Result<bool, AgentError> {
        if self.held || !member.is_ready() || !self.records.is_empty() || self.routing.is_some() {
            return Ok(false);
        }
        let asked = async {
            member.commit_now().await?;
            if !member.is_drained().await? {
                return Ok::<_, AgentError>(false);
            }
            let due: i64 = self.database.client().await?.query_one(COUNT_DUE, &[]).await?.try_get(0)?;
            if due > 0 {
                return Ok(false);
            }
            self.keeper.lock().await.compare().await?;
            Ok(true)
        };
        match asked.await {
            Ok(done) => Ok(done),
            Err(error) if error.is_permanent() => Err(error),
            Err(error) => {
                tracing::debug!(%error, "asking whether all is done");
                Ok(false)
            }
        }
    }
}

fn size(record: &OwnedMessage) -> usize {
    record.payload().map_or(0, <[u8]>::len)
}
