//! The command line of `emit`, `import`, `tail` and `replay`: events in and out.

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

/// Options of `replay`.
#[derive(Debug, Args)]
pub struct ReplayOptions {
    /// The topic to send to (KAFKA_TOPIC_PREFIX is put before it); made if there is none
    #[arg(long, value_name = "NAME")]
    pub topic: String,
    /// The first event: its seq, or when the database was told (received_at) [default: the first there is]
    #[arg(long, value_name = "SEQ|TIMESTAMP")]
    pub from: Option<Bound>,
    /// Up to this seq or time, which is not included [default: the last event there is now]
    #[arg(long, value_name = "SEQ|TIMESTAMP")]
    pub to: Option<Bound>,
    /// Only events of this type; a * at the end stands for any rest; can be given more than once
    #[arg(long = "type", value_name = "TYPE")]
    pub event_types: Vec<String>,
    /// Only events about this kind of thing
    #[arg(long)]
    pub subject: Option<String>,
    /// Only events about this thing
    #[arg(long)]
    pub subject_id: Option<String>,
    /// Send nothing; say how many events these are
    #[arg(long)]
    pub dry_run: bool,
    /// Allow events.raw, where every consumer sees these events again
    #[arg(long)]
    pub force: bool,
}

/// Where a range of events begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// At a number.
    Seq(i64),
    /// At a time of receipt.
    Received(jiff::Timestamp),
}

impl std::str::FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(seq) = text.parse() {
            return Ok(Self::Seq(seq));
        }
        let time = text.parse::<jiff::Timestamp>();
        time.map(Self::Received)
            .map_err(|error| format!("neither a number nor a time such as 2026-01-31T12:00:00Z: {error}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::Bound;

    #[test]
    fn a_bound_is_a_number_or_a_time() {
        assert_eq!("17".parse(), Ok(Bound::Seq(17)));
        let time: Bound = "2026-01-31T12:00:00+01:00".parse().unwrap();
        assert_eq!(time, Bound::Received("2026-01-31T11:00:00Z".parse().unwrap()));
        assert!("yesterday".parse::<Bound>().unwrap_err().contains("2026-01-31T12:00:00Z"));
    }
}
