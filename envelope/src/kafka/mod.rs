//! The Kafka client: one configuration for every part, and questions about topics.

mod describe;
mod error;
pub mod partition;
mod ports;
mod read;
mod topics;
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::settings::{Auth, KafkaSettings};
pub use error::{KafkaError, code};
pub use read::{End, Stretch};
pub use topics::{Created, TopicState};
pub use watch::Watch;

/// Connecting, signing in and answering a question may take this long.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// A topic as the cluster knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Kafka's id of it, as Kafka writes it: a topic that was deleted and created anew has another.
    pub id: String,
    /// Number of partitions.
    pub partitions: i32,
}

/// The cluster that the settings name. Cheap to clone.
#[derive(Clone)]
pub struct Kafka {
    inner: Arc<Inner>,
}

struct Inner {
    settings: KafkaSettings,
    config: ClientConfig,
    /// For questions; it never sends a message.
    prober: BaseProducer<Watch>,
}

impl std::fmt::Debug for Kafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kafka").field("brokers", &self.inner.settings.brokers).finish_non_exhaustive()
    }
}

impl Kafka {
    /// Prepares a client; it connects when it is first needed.
    ///
    /// # Errors
    /// Settings that librdkafka cannot work with, such as a certificate that is none.
    pub fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        let config = client_config(settings)?;
        let mut probing = config.clone();
        // A question should not wait long for a connection that was refused a moment ago.
        probing.set("reconnect.backoff.max.ms", "500");
        // Lost connections are told in log lines of this level, and nowhere else.
        probing.set_log_level(RDKafkaLogLevel::Info);
        let prober =
            probing.create_with_context(Watch::default()).map_err(|error| KafkaError::Settings(error.to_string()))?;
        Ok(Self { inner: Arc::new(Inner { settings: settings.clone(), config, prober }) })
    }

    /// Brokers, client id, security, and what is passed through.
    pub fn client_config(&self) -> ClientConfig {
        self.inner.config.clone()
    }

    /// For a producer that loses and reorders nothing: every replica in sync acknowledges, retries are idempotent, and
    /// keys go to the partitions that Java clients choose.
    pub fn producer_config(&self) -> ClientConfig {
        let mut config = self.client_config();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("compression.type", &self.inner.settings.compression);
        config
    }

    /// For a consumer of this group (its name without prefix), which saves its offsets itself.
    pub fn consumer_config(&self, group: &str) -> ClientConfig {
        let mut config = self.client_config();
        config
            .set("group.id", self.group(group))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed");
        config
    }

    /// A topic's name with the prefix.
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.inner.settings.topic_prefix)
    }

    /// A group's name with the prefix.
    pub fn group(&self, name: &str) -> String {
        format!("{}{name}", self.inner.settings.topic_prefix)
    }

    /// The bootstrap servers, for people.
    pub fn brokers(&self) -> &str {
        &self.inner.settings.brokers
    }

    /// Connects and signs in; within 10 s it either works or says which setting to look at.
    ///
    /// # Errors
    /// See [`KafkaError`].
    pub async fn ping(&self) -> Result<(), KafkaError> {
        self.ask(|_, _| Ok(())).await
    }

    /// A topic (its name with the prefix), or `None` where there is none.
    ///
    /// # Errors
    /// See [`KafkaError`].
    pub async fn describe_topic(&self, topic: &str) -> Result<Option<TopicInfo>, KafkaError> {
        let topic = topic.to_owned();
        self.ask(move |prober, within| {
            describe::topic(prober.client(), &topic, within)
                .map_err(|error| KafkaError::Request { what: format!("describing topic {topic}"), error })
        })
        .await
    }

    /// For each partition of a topic (its name with the prefix): the offset of its first record, and one past its last.
    ///
    /// # Errors
    /// See [`KafkaError`].
    pub async fn offsets(&self, topic: &str, partitions: i32) -> Result<Vec<(i64, i64)>, KafkaError> {
        let topic = topic.to_owned();
        self.ask(move |prober, within| {
            let deadline = Instant::now() + within;
            let ask = |partition| {
                let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
                let asked = prober.client().fetch_watermarks(&topic, partition, left);
                asked.map_err(|error| KafkaError::Request {
                    what: format!("offsets of {topic}, partition {partition}"),
                    error,
                })
            };
            (0..partitions).map(ask).collect()
        })
        .await
    }

    /// For each partition of a topic (its name with the prefix): the offset of its first record from that time on (Unix
    /// milliseconds), or `None` where all are older.
    ///
    /// # Errors
    /// See [`KafkaError`].
    pub async fn offsets_since(&self, topic: &str, partitions: i32, ms: i64) -> Result<Vec<Option<i64>>, KafkaError> {
        let (topic, config) = (topic.to_owned(), self.consumer_config("offsets"));
        self.ask(move |_, within| {
            let failed = |error| KafkaError::Request { what: format!("offsets of {topic} by time"), error };
            let consumer: BaseConsumer<Watch> = config.create_with_context(Watch::default()).map_err(failed)?;
            let mut times = TopicPartitionList::new();
            for partition in 0..partitions {
                times.add_partition_offset(&topic, partition, Offset::Offset(ms)).map_err(failed)?;
            }
            let found = consumer.offsets_for_times(times, within).map_err(failed)?;
            let offset = |partition| {
                let Some(at) = found.find_partition(&topic, partition) else { return Ok(None) };
                at.error().map_err(failed)?;
                Ok(at.offset().to_raw().filter(|at| *at >= 0))
            };
            (0..partitions).map(offset).collect()
        })
        .await
    }

    /// Asks off the async threads, once the cluster answers at all.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&BaseProducer<Watch>, Duration) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, KafkaError> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || {
            let deadline = Instant::now() + TIMEOUT;
            inner.reach(deadline)?;
            let answer =
                question(&inner.prober, deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(1)));
            inner.serve();
            answer
        })
        .await
        .map_err(|panic| KafkaError::Settings(panic.to_string()))?
    }
}

impl Inner {
    /// Hands what librdkafka has to say to the context. A poll that does not wait takes one event.
    fn serve(&self) {
        for _ in 0..256 {
            self.prober.poll(Duration::ZERO);
        }
    }

    /// Waits until a broker answers. librdkafka tries again for ever and says what is wrong only through callbacks.
    fn reach(&self, deadline: Instant) -> Result<(), KafkaError> {
        let start = Instant::now();
        loop {
            let slice = Duration::from_millis(400).min(deadline.saturating_duration_since(Instant::now()));
            let asked = self.prober.client().fetch_metadata(None, slice.max(Duration::from_millis(1)));
            self.serve();
            match asked {
                Ok(_) => {
                    self.prober.context().forget();
                    return Ok(());
                }
                Err(ClientError::MetadataFetch(code)) if !passes(code) => {
                    return Err(KafkaError::Request {
                        what: "asking for metadata".into(),
                        error: ClientError::MetadataFetch(code),
                    });
                }
                Err(_) => {}
            }
            let troubles = self.prober.context().troubles();
            if let Some(error) = error::definite(&self.settings, &troubles) {
                return Err(error);
            }
            if start.elapsed() > Duration::from_secs(1)
                && let Some(error) = error::hopeless(&self.settings, &troubles)
            {
                return Err(error);
            }
            if Instant::now() >= deadline {
                return Err(error::timed_out(&self.settings, &troubles));
            }
        }
    }
}

fn passes(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::Resolve
            | Code::Authentication
            | Code::SSL
            | Code::NetworkException
            | Code::BrokerNotAvailable
            | Code::Retry
    )
}

fn client_config(settings: &KafkaSettings) -> Result<ClientConfig, KafkaError> {
    let mut config = ClientConfig::new();
    for (name, value) in &settings.properties {
        config.set(name, value);
    }
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("client.id", &settings.client_id)
        .set("socket.connection.setup.timeout.ms", TIMEOUT.as_millis().to_string())
        .set("enable.ssl.certificate.verification", "true")
        .set("ssl.endpoint.identification.algorithm", "https");
    let protocol = match (&settings.auth, settings.ssl) {
        (Auth::Sasl { mechanism, username, password }, ssl) => {
            config
                .set("sasl.mechanism", *mechanism)
                .set("sasl.username", username)
                .set("sasl.password", password.expose());
            if ssl { "sasl_ssl" } else { "sasl_plaintext" }
        }
        (Auth::AwsIam { .. }, _) => return Err(KafkaError::NoAwsIam),
        (Auth::None | Auth::Mtls, true) => "ssl",
        (Auth::None | Auth::Mtls, false) => "plaintext",
    };
    config.set("security.protocol", protocol);
    for (name, path) in [
        ("ssl.ca.location", &settings.ssl_ca),
        ("ssl.certificate.location", &settings.ssl_cert),
        ("ssl.key.location", &settings.ssl_key),
    ] {
        if let Some(path) = path {
            config.set(name, path.display().to_string());
        }
    }
    Ok(config)
}

#[cfg(test)]
mod tests;
