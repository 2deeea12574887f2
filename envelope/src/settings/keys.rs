//! The one table of settings. Environment names, TOML keys, the refusal of unknown names, what a process prints at its
//! start and the page `docs/settings.md` all derive from it.

use super::values::Kind;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its environment name; in lower case it is its TOML key.
    pub name: &'static str,
    /// What holds if nobody says anything.
    pub default: Option<&'static str>,
    /// Never printed, and can come from the file that `<name>_FILE` names.
    pub secret: bool,
    /// What its value must look like.
    pub kind: Kind,
    /// Who uses it.
    pub section: Section,
    /// For people.
    pub help: &'static str,
}

/// The part of the system that a setting concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// PostgreSQL.
    Postgres,
    /// Kafka.
    Kafka,
    /// The bridge.
    Bridge,
    /// Gateway and metrics.
    Http,
    /// The agents.
    Agents,
}

impl Section {
    /// All, in the order of the page.
    pub const ALL: [Self; 5] = [Self::Postgres, Self::Kafka, Self::Bridge, Self::Http, Self::Agents];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Kafka => "Kafka",
            Self::Bridge => "Bridge",
            Self::Http => "HTTP",
            Self::Agents => "Agents",
        }
    }
}

/// Before a librdkafka property's name: it is passed through.
pub const PROPERTY_PREFIX: &str = "KAFKA_PROPERTY_";
/// Names the TOML file; from the environment or `--config` only.
pub const CONFIG_FILE: &str = "LIFESTREAM_CONFIG";

/// The largest number of rows that one look takes.
const MOST_ROWS: u32 = 100_000;

const fn key(
    section: Section,
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    help: &'static str,
) -> Key {
    Key { name, default, secret: false, kind, section, help }
}

const fn secret(section: Section, name: &'static str, kind: Kind, help: &'static str) -> Key {
    Key { name, default: None, secret: true, kind, section, help }
}

/// Every setting, in the order in which people read about them.
pub const KEYS: &[Key] = &[
    secret(
        Section::Postgres,
        "DATABASE_URL",
        Kind::Dsn,
        "The database. `sslmode` is `disable`, `prefer` (the default), `require`, `verify-ca` or `verify-full`: where TLS is used, the certificate is verified, against `sslrootcert` if given, else the system's roots",
    ),
    key(Section::Kafka, "KAFKA_BROKERS", Kind::Brokers, Some("localhost:9092"), "Bootstrap servers"),
    key(Section::Kafka, "KAFKA_CLIENT_ID", Kind::Text, Some("pg-lifestream"), "Client id"),
    key(
        Section::Kafka,
        "KAFKA_TOPIC_PREFIX",
        Kind::TopicPrefix,
        Some(""),
        "Put before every topic and group name: several systems, or tests, on one cluster",
    ),
    key(
        Section::Kafka,
        "KAFKA_REPLICATION_FACTOR",
        Kind::Integer(1, 100),
        Some("1"),
        "Replicas of the topics that `lifestream init` creates",
    ),
    key(
        Section::Kafka,
        "KAFKA_COMPRESSION",
        Kind::Choice(&["none", "lz4", "zstd", "snappy", "gzip"]),
        Some("lz4"),
        "How messages are compressed",
    ),
    key(
        Section::Kafka,
        "KAFKA_AUTH_METHOD",
        Kind::Choice(&["none", "plain", "scram-sha-256", "scram-sha-512", "aws-iam", "mtls"]),
        Some("none"),
        "How to sign in. `aws-iam` needs a build with MSK IAM sign-in",
    ),
    key(Section::Kafka, "KAFKA_SASL_USERNAME", Kind::Text, None, "For `plain` and `scram-…`"),
    secret(Section::Kafka, "KAFKA_SASL_PASSWORD", Kind::Text, "For `plain` and `scram-…`"),
    key(
        Section::Kafka,
        "KAFKA_SSL",
        Kind::Boolean,
        Some("false"),
        "TLS (always on with `aws-iam` and `mtls`); certificates are always verified",
    ),
    key(
        Section::Kafka,
        "KAFKA_SSL_CA",
        Kind::Path,
        None,
        "PEM file with the authorities to trust; else the system's roots",
    ),
    key(Section::Kafka, "KAFKA_SSL_CERT", Kind::Path, None, "PEM file with the client's certificate, for `mtls`"),
    key(Section::Kafka, "KAFKA_SSL_KEY", Kind::Path, None, "PEM file with the client's key, for `mtls`"),
    key(
        Section::Kafka,
        "AWS_REGION",
        Kind::Text,
        Some("us-west-2"),
        "For `aws-iam`, with the standard AWS credential chain",
    ),
    key(
        Section::Bridge,
        "LIFESTREAM_BATCH_SIZE",
        Kind::Integer(1, MOST_ROWS),
        Some("5000"),
        "Most events that one look takes",
    ),
    key(
        Section::Bridge,
        "LIFESTREAM_POLL_INTERVAL",
        Kind::Duration,
        Some("5s"),
        "Safety timer: looks even if nothing woke it",
    ),
    key(Section::Http, "LIFESTREAM_GATEWAY_LISTEN", Kind::Listen, Some("127.0.0.1:8080"), "Where the gateway listens"),
    key(
        Section::Http,
        "LIFESTREAM_GATEWAY_TOKENS_FILE",
        Kind::Path,
        None,
        "File with the gateway's tokens, lines `name:token`; without it `lifestream up` runs no gateway",
    ),
    key(
        Section::Http,
        "LIFESTREAM_METRICS_LISTEN",
        Kind::Listen,
        Some("127.0.0.1:9187"),
        "Where metrics will be served; nothing listens yet",
    ),
    key(
        Section::Agents,
        "LIFESTREAM_FEED_DIR",
        Kind::Path,
        None,
        "Folder that the publisher writes to; without it `lifestream up` runs no publisher",
    ),
    key(
        Section::Agents,
        "LIFESTREAM_FEED_URL",
        Kind::Url,
        None,
        "Where that folder is served; without it links in the feed are `file:` URLs",
    ),
    key(Section::Agents, "LIFESTREAM_FEED_TITLE", Kind::Text, Some("Life stream"), "Title of the feed and the site"),
    secret(
        Section::Agents,
        "LIFESTREAM_WEBHOOK_URL",
        Kind::Url,
        "Told of each publication by a signed POST (Standard Webhooks)",
    ),
    secret(Section::Agents, "LIFESTREAM_WEBHOOK_SECRET", Kind::Text, "Key of that signature: `whsec_` and base64"),
    key(
        Section::Agents,
        "LIFESTREAM_FETCH_ALLOW",
        Kind::List,
        Some(""),
        "Hosts (`host:port`, `*.demo.localhost:port`) that may have private addresses",
    ),
    key(
        Section::Agents,
        "LIFESTREAM_FETCH_INTERVAL",
        Kind::Duration,
        Some("1s"),
        "Least time between two requests to one host; a longer Crawl-delay of its robots.txt is kept",
    ),
    key(Section::Agents, "LIFESTREAM_RETRY_BASE", Kind::Duration, Some("10s"), "Wait before work is tried again"),
    key(
        Section::Agents,
        "LIFESTREAM_RETRY_FACTOR",
        Kind::Factor,
        Some("6"),
        "By how much that wait grows with each attempt",
    ),
    key(Section::Agents, "LIFESTREAM_RETRY_CAP", Kind::Duration, Some("1h"), "The longest wait"),
    secret(Section::Agents, "OPENAI_API_KEY", Kind::Text, "Key of the enricher's LLM; without one it works locally"),
    key(
        Section::Agents,
        "OPENAI_BASE_URL",
        Kind::Url,
        None,
        "An OpenAI-compatible API; with a key and without this, `https://api.openai.com/v1`",
    ),
    key(Section::Agents, "OPENAI_MODEL", Kind::Text, None, "Model to ask; with a key and without this, `gpt-4o-mini`"),
];

/// The setting of that environment name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}
