//! The command line of `emit`, `import` and `tail`: events in and out.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use uuid::Uuid;

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
