//! The command line of `parked`: what people decide about what could not be published or applied.

use clap::{Args, Subcommand, ValueEnum};

/// What `parked` does.
#[derive(Debug, Subcommand)]
pub enum ParkedCommand {
    /// List what is parked, by subject, the oldest first
    #[command(
        before_help = "Examples:\n  lifestream parked list\n  lifestream parked list --stage materializer --error 'invalid url'\n  lifestream parked list --behind --json | jq -r '.[].event_id'"
    )]
    List(ParkedListOptions),
    /// Show one with its error and what it holds
    #[command(before_help = "Examples:\n  lifestream parked show 17")]
    Show(ParkedShowOptions),
    /// Have it published or applied after all, and then what waits behind it, in order
    #[command(
        before_help = "Examples:\n  lifestream parked retry 17\n  lifestream parked retry --stage bridge --dry-run\n  lifestream parked retry --all --yes"
    )]
    Retry(ParkedChoice),
    /// Put it away for good, and have what waits behind it go on
    #[command(
        before_help = "Examples:\n  lifestream parked discard 17\n  lifestream parked discard --error 'not an event' --yes"
    )]
    Discard(ParkedChoice),
}

/// Who set it aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ParkedStage {
    /// Kafka does not take it
    Bridge,
    /// A projection refuses it, or it is no event
    Materializer,
}

impl ParkedStage {
    /// As the table has it.
    pub fn value(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Materializer => "materializer",
        }
    }
}

/// Which of what is parked: all conditions that are given must hold.
#[derive(Debug, Args, Default)]
pub struct ParkedFilter {
    /// Only what this stage set aside
    #[arg(long, value_enum, help_heading = "Which")]
    pub stage: Option<ParkedStage>,
    /// Only events of this type, such as link.added
    #[arg(long = "type", value_name = "TYPE", help_heading = "Which")]
    pub event_type: Option<String>,
    /// Only those whose error has this text in it, in either case
    #[arg(long, value_name = "TEXT", help_heading = "Which")]
    pub error: Option<String>,
    /// Only what is about this thing (its subject_id)
    #[arg(long, value_name = "SUBJECT_ID", help_heading = "Which")]
    pub subject: Option<String>,
}

impl ParkedFilter {
    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        let Self { stage, event_type, error, subject } = self;
        stage.is_none() && [event_type, error, subject].iter().all(|condition| condition.is_none())
    }
}

/// Options of `parked list`.
#[derive(Debug, Args)]
pub struct ParkedListOptions {
    /// Which.
    #[command(flatten)]
    pub filter: ParkedFilter,
    /// Also what only waits behind another of its subject
    #[arg(long, help_heading = "Which")]
    pub behind: bool,
    /// At most so many
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub count: Option<u32>,
    /// As JSON, with the records
    #[arg(long)]
    pub json: bool,
}

/// Options of `parked show`.
#[derive(Debug, Args)]
pub struct ParkedShowOptions {
    /// Its id
    pub id: i64,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// What to decide about, and how much is asked.
#[derive(Debug, Args)]
pub struct ParkedChoice {
    /// Their ids
    #[arg(value_name = "ID")]
    pub ids: Vec<i64>,
    /// Which.
    #[command(flatten)]
    pub filter: ParkedFilter,
    /// Everything that is parked
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
