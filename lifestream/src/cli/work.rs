//! The command line of `dlq` and `tags`: what people decide about work and about tags.

use clap::{Args, Subcommand, ValueEnum};
use uuid::Uuid;

/// What `dlq` does.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// List dead letters, the oldest first
    #[command(
        before_help = "Examples:\n  lifestream dlq list\n  lifestream dlq list --type fetch_link --error 'timed out' --older-than 2h\n  lifestream dlq list --status all --json | jq -r '.[].error' | sort | uniq -c"
    )]
    List(DlqListOptions),
    /// Show one dead letter with every attempt and its work message
    #[command(before_help = "Examples:\n  lifestream dlq show 7417dde9-3625-5c08-b99e-714161524482")]
    Show(DlqShowOptions),
    /// Have the work done after all, with three more attempts
    #[command(
        before_help = "Examples:\n  lifestream dlq retry 7417dde9-3625-5c08-b99e-714161524482\n  lifestream dlq retry --host example.org --dry-run\n  lifestream dlq retry --all --yes"
    )]
    Retry(DlqRetryOptions),
    /// Put dead letters away for good
    #[command(
        before_help = "Examples:\n  lifestream dlq discard 7417dde9-3625-5c08-b99e-714161524482 --reason 'the site is gone'\n  lifestream dlq discard --type index --older-than '30 days' --yes"
    )]
    Discard(DlqDiscardOptions),
}

/// Which dead letters: all conditions that are given must hold.
#[derive(Debug, Args, Default)]
pub struct DlqFilter {
    /// Only work of this type, such as fetch_link
    #[arg(long = "type", value_name = "TYPE", help_heading = "Which")]
    pub work_type: Option<String>,
    /// Only what this agent gave up, such as fetcher-agent-v2
    #[arg(long, help_heading = "Which")]
    pub agent: Option<String>,
    /// Only those whose last error has this text in it, in either case
    #[arg(long, value_name = "TEXT", help_heading = "Which")]
    pub error: Option<String>,
    /// Only work for a URL on this host
    #[arg(long, help_heading = "Which")]
    pub host: Option<String>,
    /// Only work about this thing (its subject_id)
    #[arg(long, value_name = "SUBJECT_ID", help_heading = "Which")]
    pub subject: Option<String>,
    /// Only those given up longer ago than this, such as 2h or '3 days'
    #[arg(long, value_name = "TIME", help_heading = "Which")]
    pub older_than: Option<String>,
}

impl DlqFilter {
    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        let Self { work_type, agent, error, host, subject, older_than } = self;
        [work_type, agent, error, host, subject, older_than].iter().all(|condition| condition.is_none())
    }
}

/// Which of them by what was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DlqStatus {
    /// Nothing decided yet
    Open,
    /// Tried again
    Retried,
    /// Put away
    Discarded,
    /// Any of these
    All,
}

impl DlqStatus {
    /// As the table has it; `None` for any.
    pub fn value(self) -> Option<&'static str> {
        match self {
            Self::Open => Some("open"),
            Self::Retried => Some("retried"),
            Self::Discarded => Some("discarded"),
            Self::All => None,
        }
    }
}

/// Options of `dlq list`.
#[derive(Debug, Args)]
pub struct DlqListOptions {
    /// Which.
    #[command(flatten)]
    pub filter: DlqFilter,
    /// Only those about which this was decided
    #[arg(long, value_enum, default_value = "open", help_heading = "Which")]
    pub status: DlqStatus,
    /// At most so many
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub count: Option<u32>,
    /// As JSON, with the work messages
    #[arg(long)]
    pub json: bool,
}

/// Options of `dlq show`.
#[derive(Debug, Args)]
pub struct DlqShowOptions {
    /// Its id
    pub id: Uuid,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Which dead letters to decide about, and how much is asked.
#[derive(Debug, Args)]
pub struct DlqChoice {
    /// Their ids
    #[arg(value_name = "ID")]
    pub ids: Vec<Uuid>,
    /// Which.
    #[command(flatten)]
    pub filter: DlqFilter,
    /// Every open one
    #[arg(long, help_heading = "Which")]
    pub all: bool,
    /// Only say which they are
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// What was done, as JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `dlq retry`.
#[derive(Debug, Args)]
pub struct DlqRetryOptions {
    /// Which.
    #[command(flatten)]
    pub choice: DlqChoice,
}

/// Options of `dlq discard`.
#[derive(Debug, Args)]
pub struct DlqDiscardOptions {
    /// Which.
    #[command(flatten)]
    pub choice: DlqChoice,
    /// Why, for whoever looks later
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// What `tags` does.
#[derive(Debug, Subcommand)]
pub enum TagsCommand {
    /// List the tags of links, with their other names
    #[command(
        before_help = "Examples:\n  lifestream tags list\n  lifestream tags list --json | jq '.[] | select(.links == 1)'"
    )]
    List(TagsListOptions),
    /// Make one tag another name for a second one, for what has it and for what will
    #[command(
        before_help = "Examples:\n  lifestream tags merge golang Go\n  lifestream tags merge Go golang     the other way round, later"
    )]
    Merge(TagsMergeOptions),
    /// Take a tag off every link that has it; given again later, it is there again
    #[command(before_help = "Examples:\n  lifestream tags drop misc")]
    Drop(TagsDropOptions),
}

/// Options of `tags list`.
#[derive(Debug, Args)]
pub struct TagsListOptions {
    /// Only this tenant's
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `tags merge`.
#[derive(Debug, Args)]
pub struct TagsMergeOptions {
    /// The tag that goes
    pub from: String,
    /// The tag that stays
    pub into: String,
    /// Whose tags
    #[arg(long, value_name = "TENANT", default_value = "")]
    pub tenant: String,
}

/// Options of `tags drop`.
#[derive(Debug, Args)]
pub struct TagsDropOptions {
    /// The tag
    pub tag: String,
    /// Whose tags
    #[arg(long, value_name = "TENANT", default_value = "")]
    pub tenant: String,
}
