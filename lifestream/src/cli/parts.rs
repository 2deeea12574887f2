//! The command line of the parts.

use clap::{Args, ValueEnum};
use lifestream_envelope::{Until, groups};

/// Options of `bridge`.
#[derive(Debug, Args)]
pub struct BridgeOptions {
    /// End once nothing is left to publish
    #[arg(long)]
    pub until_idle: bool,
    /// Setting LIFESTREAM_BATCH_SIZE
    #[arg(long, value_name = "EVENTS")]
    pub batch_size: Option<String>,
    /// Setting LIFESTREAM_POLL_INTERVAL
    #[arg(long, value_name = "TIME")]
    pub poll_interval: Option<String>,
}

impl BridgeOptions {
    /// How long it works.
    pub fn until(&self) -> Until {
        until(self.until_idle)
    }
}

/// Options of `up`.
#[derive(Debug, Args)]
pub struct UpOptions {
    /// End once nothing is left to publish, to apply, to route and to do; retries that lie in the future are not awaited
    #[arg(long)]
    pub until_idle: bool,
}

/// When a part ends.
#[derive(Debug, Args)]
pub struct UntilOptions {
    /// End once all that is in Kafka is worked off
    #[arg(long)]
    pub until_idle: bool,
}

impl UntilOptions {
    /// How long it works.
    pub fn until(&self) -> Until {
        until(self.until_idle)
    }
}

/// Options of `materializer`.
#[derive(Debug, Args)]
pub struct MaterializerOptions {
    /// When it ends.
    #[command(flatten)]
    pub until: UntilOptions,
    /// Consumer group; a new one applies everything that Kafka retains anew
    #[arg(long, default_value = groups::MATERIALIZER)]
    pub group: String,
}

impl From<MaterializerOptions> for lifestream_agents::materializer::Options {
    fn from(options: MaterializerOptions) -> Self {
        Self { group: options.group, ..Self::default() }
    }
}

/// Options of `router`.
#[derive(Debug, Args)]
pub struct RouterOptions {
    /// When it ends.
    #[command(flatten)]
    pub until: UntilOptions,
    /// Consumer group; a new one routes everything that Kafka retains anew
    #[arg(long, default_value = groups::ROUTER)]
    pub group: String,
}

/// Options of `agent`.
#[derive(Debug, Args)]
pub struct AgentOptions {
    /// Which one
    #[arg(value_enum)]
    pub agent: AgentName,
    /// When it ends.
    #[command(flatten)]
    pub until: UntilOptions,
    /// Consumer group [default: the agent's own]; a new one does all work that Kafka retains anew
    #[arg(long)]
    pub group: Option<String>,
}

/// The agents, in the order in which a link comes by. Nowhere else is there a list of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AgentName {
    /// Fetches links
    Fetcher,
    /// Tags and summarises fetched links
    Enricher,
    /// Publishes enriched links as feeds and a site
    Publisher,
}

impl AgentName {
    /// As on the command line, and as `lifestream status` calls its stage.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Options of `gateway`.
#[derive(Debug, Args)]
pub struct GatewayOptions {
    /// Setting LIFESTREAM_GATEWAY_LISTEN
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Setting LIFESTREAM_GATEWAY_TOKENS_FILE
    #[arg(long, value_name = "FILE")]
    pub tokens_file: Option<String>,
}

fn until(idle: bool) -> Until {
    if idle { Until::Idle } else { Until::Shutdown }
}
