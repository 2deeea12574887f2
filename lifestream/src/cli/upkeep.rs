//! The command line of `init`, `reset`, `rebuild`, `status`, `verify` and what only prints.

use clap::Args;

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

/// Options of `rebuild`.
#[derive(Debug, Args)]
pub struct RebuildOptions {
    /// A projection: its function, or the type of an event; what shares a table with it is rebuilt too. Or all
    #[arg(value_name = "PROJECTION|all")]
    pub what: String,
    /// Change nothing; say what would differ, with exit code 3 if anything would
    #[arg(long)]
    pub dry_run: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
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

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct VerifyOptions {
    /// Events received from this time on, in any form that PostgreSQL reads [default: all]
    #[arg(long, value_name = "TIMESTAMP")]
    pub from: Option<String>,
    /// Events received before this time [default: all]
    #[arg(long, value_name = "TIMESTAMP")]
    pub to: Option<String>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of commands that only print.
#[derive(Debug, Args)]
pub struct Json {
    /// As JSON
    #[arg(long)]
    pub json: bool,
}
