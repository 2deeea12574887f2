//! The command line.

mod parked;
mod work;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use lifestream_envelope::{Until, groups};
use uuid::Uuid;

use crate::exit::CODES;
pub use parked::{ParkedChoice, ParkedCommand, ParkedFilter, ParkedListOptions, ParkedShowOptions};
pub use work::{
    DlqChoice, DlqCommand, DlqFilter, DlqListOptions, DlqShowOptions, TagsCommand, TagsDropOptions, TagsListOptions,
    TagsMergeOptions,
};

const EXAMPLES: &str = "\
Examples:
  lifestream init                              create the topics
  lifestream up                                run every part in this process
  lifestream emit note.created note n1 '{\"text\":\"hello\"}'
  lifestream import bookmarks.html             save a browser's bookmarks as links
  lifestream status --watch                    see where the pipeline stands
  lifestream doctor                            find out what is wrong, and how to put it right";

/// After the help: exit codes.
fn after_help() -> String {
    let codes: Vec<String> = CODES.iter().map(|(code, meaning)| format!("  {code:>3}  {meaning}")).collect();
    format!(
        "Exit codes:\n{}\n\nSettings come from flags, the environment, .env and lifestream.toml: see docs/settings.md.",
        codes.join("\n")
    )
}

/// Events from PostgreSQL to Kafka and back into tables.
#[derive(Debug, Parser)]
#[command(
    name = "lifestream",
    version,
    before_help = EXAMPLES,
    after_help = after_help(),
    arg_required_else_help = true,
    disable_help_subcommand = false,
    max_term_width = 110
)]
pub struct Cli {
    /// For every subcommand.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every subcommand.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings and logs")]
pub struct Global {
    /// TOML file of settings [default: ./lifestream.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Setting DATABASE_URL; others on this machine can read a command line, so leave the password to the environment or a file
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Setting KAFKA_BROKERS
    #[arg(long, global = true, value_name = "HOST:PORT,…")]
    pub brokers: Option<String>,
    /// Setting KAFKA_TOPIC_PREFIX
    #[arg(long, global = true, value_name = "PREFIX")]
    pub topic_prefix: Option<String>,
    /// A property of librdkafka, such as linger.ms=5; can be given more than once
    #[arg(short = 'X', global = true, value_name = "NAME=VALUE")]
    pub properties: Vec<String>,
    /// Log more; twice for everything, librdkafka's own lines too
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Log level: error, warn, info, debug, trace. RUST_LOG takes finer filters
    #[arg(long, global = true, value_name = "LEVEL", conflicts_with = "verbose")]
    pub log_level: Option<tracing::Level>,
}

/// What `lifestream` does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the bridge: publish committed events to Kafka
    #[command(
        before_help = "Examples:\n  lifestream bridge\n  lifestream bridge --until-idle     publish what is there, then end"
    )]
    Bridge(BridgeOptions),
    /// Run the materializer: apply events to the state tables
    #[command(
        before_help = "Examples:\n  lifestream materializer\n  lifestream materializer --group materializer-v2 --until-idle"
    )]
    Materializer(MaterializerOptions),
    /// Run the router: turn events into work for agents
    #[command(
        before_help = "Examples:\n  lifestream router\n  lifestream router --until-idle     route what is there, then end"
    )]
    Router(RouterOptions),
    /// Run an agent: do work and emit what comes of it
    #[command(
        before_help = "Examples:\n  lifestream agent fetcher\n  lifestream agent fetcher --group fetcher-agent-v3     fetch everything that Kafka retains anew"
    )]
    Agent(AgentOptions),
    /// Run the gateway: take events and links over HTTP
    #[command(before_help = "Examples:\n  lifestream gateway --listen 127.0.0.1:8080 --tokens-file tokens")]
    Gateway(GatewayOptions),
    /// Run every part in this process
    #[command(
        before_help = "Examples:\n  lifestream up\n  lifestream up --until-idle         work off what is there, then end"
    )]
    Up(UpOptions),
    /// Create the topics that are missing, and report where one differs
    #[command(
        before_help = "Examples:\n  lifestream init\n  lifestream init --check            change nothing; exit code 3 if something is missing or differs"
    )]
    Init(InitOptions),
    /// Forget the old Kafka cluster, so that everything is published and materialized anew
    #[command(
        before_help = "Examples:\n  lifestream reset                   says what it would do, and asks\n  lifestream reset --topics --yes && lifestream init"
    )]
    Reset(ResetOptions),
    /// Emit one event; prints its id
    #[command(
        before_help = "Examples:\n  lifestream emit note.created note n1 '{\"text\":\"hello\"}'\n  jq .reading < sensor.json | lifestream emit temp.reading_recorded sensor kitchen -"
    )]
    Emit(EmitOptions),
    /// Import a browser's bookmarks, or events as JSON Lines
    #[command(
        before_help = "Examples:\n  lifestream import bookmarks.html\n  lifestream import events.jsonl --dry-run\n  zcat events.jsonl.gz | lifestream import - --format jsonl"
    )]
    Import(ImportOptions),
    /// Show where the pipeline stands: a row for each stage
    #[command(
        before_help = "Examples:\n  lifestream status\n  lifestream status --watch 5\n  lifestream status --json | jq '.[] | select(.backlog > 0)'"
    )]
    Status(StatusOptions),
    /// Decide about dead letters: work that nobody will try again by itself
    #[command(
        before_help = "Examples:\n  lifestream dlq list\n  lifestream dlq show 7417dde9-3625-5c08-b99e-714161524482\n  lifestream dlq retry --host example.org\n  lifestream dlq discard --error '404' --reason 'gone' --yes"
    )]
    Dlq {
        /// What.
        #[command(subcommand)]
        command: DlqCommand,
    },
    /// Decide about what is parked: events that Kafka or a projection does not take
    #[command(
        before_help = "Examples:\n  lifestream parked list\n  lifestream parked show 17\n  lifestream parked retry --all\n  lifestream parked discard 17"
    )]
    Parked {
        /// What.
        #[command(subcommand)]
        command: ParkedCommand,
    },
    /// List, merge and drop the tags of links
    #[command(
        before_help = "Examples:\n  lifestream tags list\n  lifestream tags merge golang Go\n  lifestream tags drop misc"
    )]
    Tags {
        /// What.
        #[command(subcommand)]
        command: TagsCommand,
    },
    /// Check everything, and say how to put right what is wrong
    #[command(before_help = "Examples:\n  lifestream doctor\n  lifestream doctor --json")]
    Doctor(Json),
    /// Show events as they arrive in Kafka
    #[command(
        before_help = "Examples:\n  lifestream tail\n  lifestream tail --type 'link.*' --from-beginning --no-follow\n  lifestream tail --json | jq .value.payload"
    )]
    Tail(TailOptions),
    /// List the topics with their partitions and offsets
    #[command(before_help = "Examples:\n  lifestream topics\n  lifestream topics --json")]
    Topics(Json),
    /// Print a completion script for a shell
    #[command(before_help = "Examples:\n  lifestream completions bash > /etc/bash_completion.d/lifestream")]
    Completions {
        /// Which one
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether it runs until it is told to stop.
    pub fn is_part(&self) -> bool {
        matches!(
            self,
            Self::Bridge(_) | Self::Materializer(_) | Self::Router(_) | Self::Agent(_) | Self::Gateway(_) | Self::Up(_)
        )
    }
}

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

/// The agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AgentName {
    /// Fetches links
    Fetcher,
    /// Tags and summarises fetched links
    Enricher,
    /// Publishes enriched links as feeds and a site
    Publisher,
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

/// Options of `init`.
#[derive(Debug, Args)]
pub struct InitOptions {
    /// Change nothing; exit code 3 if a topic is missing or differs
    #[arg(long)]
    pub check: bool,
    /// Setting KAFKA_REPLICATION_FACTOR
    #[arg(long, value_name = "N")]
    pub replication_factor: Option<String>,
}

/// Options of `reset`.
#[derive(Debug, Args)]
pub struct ResetOptions {
    /// Delete the topics as well, with everything in them
    #[arg(long)]
    pub topics: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// Options of `emit`: the arguments of `lifestream.emit_event`.
#[derive(Debug, Args)]
pub struct EmitOptions {
    /// What happened, such as note.created
    #[arg(value_name = "TYPE")]
    pub event_type: String,
    /// The kind of thing it is about, such as note
    pub subject: String,
    /// The thing it is about
    pub subject_id: String,
    /// A JSON object; - reads it from stdin
    #[arg(default_value = "{}")]
    pub payload: String,
    /// Who emits it [default: lifestream.source, else the application name]
    #[arg(long)]
    pub source: Option<String>,
    /// When it happened [default: now]
    #[arg(long, value_name = "TIMESTAMP")]
    pub occurred_at: Option<String>,
    /// Its id: emitting the same id again changes nothing
    #[arg(long)]
    pub id: Option<Uuid>,
    /// What belongs together [default: its own id]
    #[arg(long, value_name = "UUID")]
    pub correlation_id: Option<Uuid>,
    /// The event that caused it
    #[arg(long, value_name = "UUID")]
    pub causation_id: Option<Uuid>,
    /// The tenant
    #[arg(long, value_name = "TENANT")]
    pub tenant_id: Option<String>,
    /// Version of the payload's shape
    #[arg(long, value_name = "N")]
    pub schema_version: Option<i32>,
    /// A header, which Kafka gets too; can be given more than once
    #[arg(long = "header", short = 'H', value_name = "NAME=VALUE")]
    pub headers: Vec<String>,
    /// How many events the subject has so far: fails otherwise
    #[arg(long, value_name = "N")]
    pub expected_version: Option<i64>,
}

/// Options of `import`.
#[derive(Debug, Args)]
pub struct ImportOptions {
    /// The file; - for stdin
    pub file: PathBuf,
    /// What it holds
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The tenant that bookmarks are saved for
    #[arg(long, value_name = "TENANT", default_value = "")]
    pub tenant: String,
    /// Try every batch against the database, and keep nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The counts as JSON
    #[arg(long)]
    pub json: bool,
}

/// What a file to import holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Seen from how it begins
    #[default]
    Auto,
    /// A browser's bookmarks (Netscape HTML)
    Bookmarks,
    /// One JSON object a line, with the argument names of emit_event
    Jsonl,
}

/// Options of `status`.
#[derive(Debug, Args)]
pub struct StatusOptions {
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Show it again every so many seconds
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub watch: Option<u64>,
}

/// Options of commands that only print.
#[derive(Debug, Args)]
pub struct Json {
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `tail`.
#[derive(Debug, Args)]
pub struct TailOptions {
    /// Begin with the oldest record that Kafka retains
    #[arg(long)]
    pub from_beginning: bool,
    /// End at the last record that is there now
    #[arg(long)]
    pub no_follow: bool,
    /// Only events of this type; a * at the end stands for any rest; can be given more than once
    #[arg(long = "type", value_name = "TYPE")]
    pub event_types: Vec<String>,
    /// Only events about this kind of thing
    #[arg(long)]
    pub subject: Option<String>,
    /// Only events about this thing
    #[arg(long)]
    pub subject_id: Option<String>,
    /// End after so many events
    #[arg(long, short = 'n', value_name = "N")]
    pub count: Option<u64>,
    /// One JSON object a line: partition, offset, key, headers, value
    #[arg(long)]
    pub json: bool,
}

fn until(idle: bool) -> Until {
    if idle { Until::Idle } else { Until::Shutdown }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
