//! `lifestream import`: bookmarks and JSON Lines, in batches; what is there already is skipped.

mod bookmarks;
mod emitter;
mod jsonl;
mod lines;
mod progress;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use anyhow::{Context, bail};
use lifestream_envelope::settings::Settings;
use serde_json::json;
use tokio::sync::mpsc;

use crate::cli::{Format, ImportOptions};
use crate::exit::Outcome;
use crate::output;
use emitter::Emitter;
use progress::Progress;

/// Most events in one transaction.
const BATCH_EVENTS: usize = 1000;
/// Most bytes of input in one transaction, but for one larger line.
const BATCH_BYTES: usize = 8 << 20;

/// What a line of the input became.
#[derive(Debug)]
pub enum Item {
    /// To be emitted.
    Draft(Draft),
    /// Not for us, which is no fault of it: a bookmark that is no link.
    Skipped {
        /// Its line.
        line: u64,
        /// Why.
        reason: String,
    },
    /// Cannot be understood.
    Bad {
        /// Its line.
        line: u64,
        /// Why.
        reason: String,
    },
}

/// An event to be.
#[derive(Debug)]
pub struct Draft {
    /// The line that it came from.
    pub line: u64,
    /// What it will be.
    pub event: Drafted,
}

/// The two things that can be imported.
#[derive(Debug)]
pub enum Drafted {
    /// A bookmark: its subject id is computed in the database.
    Link(Link),
    /// An object with the argument names of `emit_event`, an id among them.
    Event {
        /// Its id.
        id: uuid::Uuid,
        /// JSON text.
        object: String,
    },
}

/// A bookmark.
#[derive(Debug, PartialEq, Eq)]
pub struct Link {
    /// As it stands in the file.
    pub url: String,
    /// May be empty.
    pub title: String,
    /// The description, where there is one.
    pub note: Option<String>,
    /// Its folders, outermost first, then its own tags.
    pub tags: Vec<String>,
    /// Microseconds since the Unix epoch.
    pub added_at: Option<i64>,
}

impl Draft {
    fn bytes(&self) -> usize {
        match &self.event {
            Drafted::Link(link) => link.url.len() + link.title.len() + 256,
            Drafted::Event { object, .. } => object.len(),
        }
    }
}

/// How it went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Events found in the input, good or bad.
    pub read: u64,
    /// New in the database.
    pub emitted: u64,
    /// There before.
    pub existing: u64,
    /// Bookmarks that are no links.
    pub skipped: u64,
    /// Reported with their line.
    pub bad: u64,
}

/// Imports, and ends with the counts.
pub async fn run(settings: &Settings, options: ImportOptions) -> anyhow::Result<Outcome> {
    let (input, size) = open(&options)?;
    let mut emitter = Emitter::connect(settings, options.tenant.clone(), options.dry_run).await?;
    let progress = Progress::new(size);
    let (sender, mut batches) = mpsc::channel::<Vec<Item>>(2);
    let input = progress.watch(input);
    let format = options.format;
    // Reading blocks, and goes on while the database works.
    let reader = tokio::task::spawn_blocking(move || read(input, format, &sender));
    let mut counts = Counts::default();
    while let Some(batch) = batches.recv().await {
        let mut drafts = Vec::with_capacity(batch.len());
        for item in batch {
            counts.read += 1;
            match item {
                Item::Draft(draft) => drafts.push(draft),
                Item::Skipped { line, reason } => {
                    counts.skipped += 1;
                    progress.say(&format!("line {line}: skipped: {reason}"));
                }
                Item::Bad { line, reason } => {
                    counts.bad += 1;
                    progress.say(&format!("line {line}: {reason}"));
                }
            }
        }
        emitter.emit(&drafts, &mut counts, &progress).await?;
    }
    reader.await.context("reading")??;
    progress.end();
    tell(&counts, &options)?;
    Ok(if counts.bad > 0 { Outcome::Look } else { Outcome::Done })
}

fn tell(counts: &Counts, options: &ImportOptions) -> anyhow::Result<()> {
    let Counts { read, emitted, existing, skipped, bad } = counts;
    if options.json {
        return output::line(json!({
            "read": read, "emitted": emitted, "already_there": existing, "skipped": skipped, "bad": bad, "dry_run": options.dry_run
        }));
    }
    let emitted_word = if options.dry_run { "would be emitted" } else { "emitted" };
    output::line(format!(
        "{read} read, {emitted} {emitted_word}, {existing} already there, {skipped} skipped, {bad} bad"
    ))
}

/// The input, and its size if it has one.
fn open(options: &ImportOptions) -> anyhow::Result<(Box<dyn Read + Send>, Option<u64>)> {
    if options.file.as_os_str() == "-" {
        return Ok((Box::new(std::io::stdin()), None));
    }
    let name = options.file.display();
    let file = File::open(&options.file).with_context(|| format!("{name}"))?;
    let metadata = file.metadata().with_context(|| format!("{name}"))?;
    if metadata.is_dir() {
        bail!("{name} is a folder");
    }
    Ok((Box::new(file), metadata.is_file().then_some(metadata.len())))
}

/// Reads to the end, a batch at a time.
fn read(input: impl Read, format: Format, sender: &mpsc::Sender<Vec<Item>>) -> anyhow::Result<()> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let format = match format {
        Format::Auto => guess(input.fill_buf()?)?,
        given => given,
    };
    let mut batch = Vec::new();
    let mut bytes = 0;
    let mut take = |item: Item| {
        bytes += match &item {
            Item::Draft(draft) => draft.bytes(),
            _ => 64,
        };
        batch.push(item);
        if batch.len() < BATCH_EVENTS && bytes < BATCH_BYTES {
            return true;
        }
        bytes = 0;
        // Nobody takes it any more: the database's side has failed and says why.
        sender.blocking_send(std::mem::take(&mut batch)).is_ok()
    };
    match format {
        Format::Bookmarks => bookmarks::read(input, &mut take)?,
        Format::Jsonl | Format::Auto => jsonl::read(input, &mut take)?,
    }
    if !batch.is_empty() {
        let _ = sender.blocking_send(batch);
    }
    Ok(())
}

/// By how it begins: HTML with a tag, JSON with a brace.
fn guess(start: &[u8]) -> anyhow::Result<Format> {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'<') => Ok(Format::Bookmarks),
        Some(b'{') | None => Ok(Format::Jsonl),
        Some(_) => bail!("neither bookmarks (HTML) nor JSON Lines, by how it begins; --format says which it is"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_format_shows_at_the_start() {
        assert_eq!(guess(b"\xef\xbb\xbf\n <!DOCTYPE NETSCAPE-Bookmark-file-1>").unwrap(), Format::Bookmarks);
        assert_eq!(guess(b"\r\n{\"event_type\"").unwrap(), Format::Jsonl);
        assert_eq!(guess(b"").unwrap(), Format::Jsonl);
        assert!(guess(b"event_type,subject").is_err());
    }
}
