//! Settings: flag, then environment, then `.env`, then a TOML file, then default.

mod checks;
mod error;
pub mod keys;
mod layers;
#[cfg(test)]
mod page;
mod properties;
mod secret;
pub mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::SettingsError;
use keys::{KEYS, Section};
use layers::{Found, Values};
pub use secret::Secret;

/// Everything that the parts run with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The database.
    pub postgres: PostgresSettings,
    /// The brokers.
    pub kafka: KafkaSettings,
    /// The bridge.
    pub bridge: BridgeSettings,
    /// Router and agents.
    pub agents: AgentSettings,
    /// The gateway.
    pub gateway: GatewaySettings,
    described: Vec<Described>,
}

/// How to reach PostgreSQL.
#[derive(Debug, Clone, Default)]
pub struct PostgresSettings {
    /// `DATABASE_URL`: a URL or `key=value` pairs.
    pub url: Option<Secret>,
}

/// How to reach Kafka.
#[derive(Debug, Clone)]
pub struct KafkaSettings {
    /// `KAFKA_BROKERS`.
    pub brokers: String,
    /// `KAFKA_CLIENT_ID`.
    pub client_id: String,
    /// `KAFKA_TOPIC_PREFIX`.
    pub topic_prefix: String,
    /// `KAFKA_REPLICATION_FACTOR`.
    pub replication_factor: i32,
    /// `KAFKA_COMPRESSION`, as librdkafka calls it.
    pub compression: String,
    /// `KAFKA_AUTH_METHOD` and what it needs.
    pub auth: Auth,
    /// `KAFKA_SSL`, or on because the method of authentication needs it.
    pub ssl: bool,
    /// `KAFKA_SSL_CA`.
    pub ssl_ca: Option<PathBuf>,
    /// `KAFKA_SSL_CERT`, with its key.
    pub ssl_cert: Option<PathBuf>,
    /// `KAFKA_SSL_KEY`, with its certificate.
    pub ssl_key: Option<PathBuf>,
    /// `KAFKA_PROPERTY_…` by librdkafka's names.
    pub properties: BTreeMap<String, String>,
}

/// How to sign in at Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Not at all.
    None,
    /// SASL, with a user name and password.
    Sasl {
        /// Kafka's name of it: `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
        mechanism: &'static str,
        /// `KAFKA_SASL_USERNAME`.
        username: String,
        /// `KAFKA_SASL_PASSWORD`.
        password: Secret,
    },
    /// AWS MSK IAM.
    AwsIam {
        /// `AWS_REGION`.
        region: String,
    },
    /// By the client's certificate.
    Mtls,
}

/// The bridge.
#[derive(Debug, Clone)]
pub struct BridgeSettings {
    /// `LIFESTREAM_BATCH_SIZE`.
    pub batch_size: usize,
    /// `LIFESTREAM_POLL_INTERVAL`.
    pub poll_interval: Duration,
}

/// Router and agents.
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// `LIFESTREAM_RETRY_BASE`, `_FACTOR`, `_CAP`.
    pub retry: RetrySettings,
    /// `LIFESTREAM_FETCH_ALLOW`: `host:port`, where the host may begin with `*.`.
    pub fetch_allow: Vec<String>,
    /// `LIFESTREAM_FETCH_INTERVAL`.
    pub fetch_interval: Duration,
    /// `OPENAI_API_KEY`.
    pub openai_api_key: Option<Secret>,
    /// `OPENAI_BASE_URL`.
    pub openai_base_url: Option<String>,
    /// `OPENAI_MODEL`.
    pub openai_model: Option<String>,
    /// `LIFESTREAM_FEED_DIR`.
    pub feed_dir: Option<PathBuf>,
    /// `LIFESTREAM_FEED_URL`.
    pub feed_url: Option<String>,
    /// `LIFESTREAM_FEED_TITLE`.
    pub feed_title: String,
    /// `LIFESTREAM_WEBHOOK_URL`.
    pub webhook_url: Option<String>,
    /// `LIFESTREAM_WEBHOOK_SECRET`.
    pub webhook_secret: Option<Secret>,
}

/// How long work waits before it is tried again.
#[derive(Debug, Clone, Copy)]
pub struct RetrySettings {
    /// After the first attempt.
    pub base: Duration,
    /// By how much it grows with each attempt, at least 1.
    pub factor: f64,
    /// The longest.
    pub cap: Duration,
}

/// The gateway.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// `LIFESTREAM_GATEWAY_LISTEN`.
    pub listen: std::net::SocketAddr,
    /// `LIFESTREAM_GATEWAY_TOKENS_FILE`.
    pub tokens_file: Option<PathBuf>,
}

/// A setting as it is shown to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its environment name.
    pub name: String,
    /// Its value; of a secret no more than may be shown.
    pub value: String,
    /// Where it came from.
    pub origin: String,
    /// Whom it concerns.
    pub section: Section,
}

impl Settings {
    /// Reads and checks all of them. `flags` has the environment names as keys; `LIFESTREAM_CONFIG` among them names the
    /// TOML file. The environment, `.env` and `lifestream.toml` in the working directory are read as well.
    ///
    /// # Errors
    /// The first thing that is wrong, by name.
    pub fn load(flags: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        // A variable that is not Unicode cannot be one of ours.
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::load_from(flags, environment.collect(), Path::new("."))
    }

    /// The same with this environment, and the files of this folder.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn load_from(
        flags: &BTreeMap<String, String>,
        environment: BTreeMap<String, String>,
        folder: &Path,
    ) -> Result<Self, SettingsError> {
        let values = Values::collect(flags, environment, folder)?;
        checks::forms(&values)?;
        checks::together(&values)?;
        Ok(Self {
            postgres: PostgresSettings { url: values.text("DATABASE_URL").map(Secret::new) },
            kafka: values.kafka(),
            bridge: BridgeSettings {
                batch_size: values.integer("LIFESTREAM_BATCH_SIZE"),
                poll_interval: values.duration("LIFESTREAM_POLL_INTERVAL"),
            },
            agents: values.agents(),
            gateway: GatewaySettings {
                listen: values.words("LIFESTREAM_GATEWAY_LISTEN").parse().unwrap_or(values::NOWHERE),
                tokens_file: values.path("LIFESTREAM_GATEWAY_TOKENS_FILE"),
            },
            described: values.described(),
        })
    }

    /// What the process runs with, for its start: every setting that has a value, then what is passed to librdkafka.
    pub fn describe(&self) -> Vec<Described> {
        self.described.clone()
    }
}

impl Values {
    /// What counts: what was found, else the default.
    fn get(&self, name: &'static str) -> Option<Found> {
        let default = || {
            let value = keys::find(name)?.default?;
            Some(Found { value: value.to_owned(), origin: "default".to_owned() })
        };
        self.settings.get(name).cloned().or_else(default)
    }

    fn text(&self, name: &'static str) -> Option<String> {
        self.get(name).map(|found| found.value).filter(|value| !value.is_empty())
    }

    fn words(&self, name: &'static str) -> String {
        self.text(name).unwrap_or_default()
    }

    fn path(&self, name: &'static str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    /// Checked before, as all that follow.
    fn integer<T: std::str::FromStr + Default>(&self, name: &'static str) -> T {
        self.words(name).parse().unwrap_or_default()
    }

    fn duration(&self, name: &'static str) -> Duration {
        values::duration(&self.words(name)).unwrap_or_default()
    }

    fn agents(&self) -> AgentSettings {
        AgentSettings {
            retry: RetrySettings {
                base: self.duration("LIFESTREAM_RETRY_BASE"),
                factor: self.words("LIFESTREAM_RETRY_FACTOR").parse().unwrap_or(1.0),
                cap: self.duration("LIFESTREAM_RETRY_CAP"),
            },
            fetch_allow: values::list(&self.words("LIFESTREAM_FETCH_ALLOW")),
            fetch_interval: self.duration("LIFESTREAM_FETCH_INTERVAL"),
            openai_api_key: self.text("OPENAI_API_KEY").map(Secret::new),
            openai_base_url: self.text("OPENAI_BASE_URL"),
            openai_model: self.text("OPENAI_MODEL"),
            feed_dir: self.path("LIFESTREAM_FEED_DIR"),
            feed_url: self.text("LIFESTREAM_FEED_URL"),
            feed_title: self.words("LIFESTREAM_FEED_TITLE"),
            webhook_url: self.text("LIFESTREAM_WEBHOOK_URL"),
            webhook_secret: self.text("LIFESTREAM_WEBHOOK_SECRET").map(Secret::new),
        }
    }

    fn kafka(&self) -> KafkaSettings {
        let sasl = |mechanism| Auth::Sasl {
            mechanism,
            username: self.words("KAFKA_SASL_USERNAME"),
            password: Secret::new(self.words("KAFKA_SASL_PASSWORD")),
        };
        let auth = match self.words("KAFKA_AUTH_METHOD").as_str() {
            "plain" => sasl("PLAIN"),
            "scram-sha-256" => sasl("SCRAM-SHA-256"),
            "scram-sha-512" => sasl("SCRAM-SHA-512"),
            "aws-iam" => Auth::AwsIam { region: self.words("AWS_REGION") },
            "mtls" => Auth::Mtls,
            _ => Auth::None,
        };
        KafkaSettings {
            brokers: self.words("KAFKA_BROKERS").split(',').map(str::trim).collect::<Vec<_>>().join(","),
            client_id: self.words("KAFKA_CLIENT_ID"),
            topic_prefix: self.words("KAFKA_TOPIC_PREFIX"),
            replication_factor: self.integer("KAFKA_REPLICATION_FACTOR"),
            compression: self.words("KAFKA_COMPRESSION"),
            ssl: matches!(auth, Auth::AwsIam { .. } | Auth::Mtls)
                || values::boolean(&self.words("KAFKA_SSL")).unwrap_or_default(),
            auth,
            ssl_ca: self.path("KAFKA_SSL_CA"),
            ssl_cert: self.path("KAFKA_SSL_CERT"),
            ssl_key: self.path("KAFKA_SSL_KEY"),
            properties: self.properties.iter().map(|(name, found)| (name.clone(), found.value.clone())).collect(),
        }
    }

    fn described(&self) -> Vec<Described> {
        let settings = KEYS.iter().filter_map(|key| {
            let found = self.get(key.name).filter(|found| !found.value.is_empty())?;
            let value = match (key.secret, key.kind) {
                (_, values::Kind::Dsn) => crate::postgres::dsn::masked(&found.value),
                (true, _) => "***".to_owned(),
                (false, _) => found.value,
            };
            Some(Described { name: key.name.to_owned(), value, origin: found.origin, section: key.section })
        });
        let properties = self.properties.iter().map(|(name, found)| Described {
            name: format!("{}{}", keys::PROPERTY_PREFIX, name.replace('.', "_")),
            value: if properties::is_secret(name) { "***".to_owned() } else { found.value.clone() },
            origin: found.origin.clone(),
            section: Section::Kafka,
        });
        settings.chain(properties).collect()
    }
}
