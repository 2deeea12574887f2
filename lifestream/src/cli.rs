//! The command line.

mod events;
mod parked;
mod parts;
mod upkeep;
mod work;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::exit::CODES;
pub use events::{Bound, EmitOptions, Format, ImportOptions, ReplayOptions, TailOptions};
pub use parked::{ParkedChoice, ParkedCommand, ParkedFilter, ParkedListOptions, ParkedShowOptions};
pub use parts::{
    AgentName, AgentOptions, BridgeOptions, GatewayOptions, MaterializerOptions, RouterOptions, UpOptions,
};
pub use upkeep::{InitOptions, Json, RebuildOptions, ResetOptions, StatusOptions, VerifyOptions};
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
    /// Make state anew from the events, while everything runs
    #[command(
        before_help = "Examples:\n  lifestream rebuild all --dry-run          say what differs from what the events say\n  lifestream rebuild keep_note              give a new projection the past"
    )]
    Rebuild(RebuildOptions),
    /// Send a range of events again, to a topic of your own
    #[command(
        before_help = "Examples:\n  lifestream replay --topic replay.links --type 'link.*' --dry-run\n  lifestream replay --topic replay.january --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z"
    )]
    Replay(ReplayOptions),
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
    /// Hold what was emitted against Kafka and the state: what is missing, doubled, out of order
    #[command(
        before_help = "Examples:\n  lifestream verify\n  lifestream verify --from yesterday --to '1 minute ago'\n  lifestream verify --json | jq '.[] | select(.ids)'"
    )]
    Verify(VerifyOptions),
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
