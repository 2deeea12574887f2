//! `lifestream dlq retry` and `discard`: what a person decides about dead letters.

use anyhow::bail;
use serde::Serialize;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::cli::DlqChoice;
use crate::commands::confirm;
use crate::database;
use crate::exit::Outcome;
use crate::output;

use super::letter::{self, Letter};
use super::listed;

/// What is to become of them.
#[derive(Debug)]
pub enum Decision {
    /// Done after all.
    Retry,
    /// Put away.
    Discard {
        /// Why, if anybody said so.
        reason: Option<String>,
    },
}

/// What became of one.
#[derive(Debug, Serialize)]
struct Decided {
    dead_letter_id: Uuid,
    /// The fact that says so.
    event_id: Option<Uuid>,
    /// Why not.
    error: Option<String>,
}

impl Decision {
    fn verb(&self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Discard { .. } => "discard",
        }
    }

    fn done(&self) -> &'static str {
        match self {
            Self::Retry => "to be tried again",
            Self::Discard { .. } => "discarded",
        }
    }

    /// Each in a transaction of its own: one that is refused holds up no other.
    async fn apply(&self, client: &Client, id: Uuid) -> Result<Uuid, tokio_postgres::Error> {
        let row = match self {
            Self::Retry => client.query_one("SELECT lifestream.retry_dead_letter($1)", &[&id]).await?,
            Self::Discard { reason } => {
                client.query_one("SELECT lifestream.discard_dead_letter($1, $2)", &[&id, reason]).await?
            }
        };
        row.try_get(0)
    }
}

/// Finds them, asks where they were not named one by one, and decides.
pub async fn run(client: &Client, choice: &DlqChoice, decision: Decision) -> anyhow::Result<Outcome> {
    let verb = decision.verb();
    let letters = chosen(client, choice, verb).await?;
    if letters.is_empty() {
        if choice.json {
            output::line("[]")?;
        }
        eprintln!("no dead letter that this is about is open");
        return Ok(Outcome::Done);
    }
    if choice.dry_run {
        output::line(if choice.json { serde_json::to_string_pretty(&letters)? } else { listed(&letters) })?;
        eprintln!("{}: nothing was changed", counted(letters.len()));
        return Ok(Outcome::Done);
    }
    if choice.ids.is_empty() && !choice.yes {
        eprintln!("{}", listed(&letters));
        if !confirm::ask(&format!("dlq {verb}"), &format!("{verb} {}", counted(letters.len())))? {
            output::line("nothing was changed")?;
            return Ok(Outcome::Done);
        }
    }
    let mut all = Vec::with_capacity(letters.len());
    for letter in &letters {
        let decided = match decision.apply(client, letter.id).await {
            Ok(event_id) => Decided { dead_letter_id: letter.id, event_id: Some(event_id), error: None },
            // Without an answer there is no session to go on with.
            Err(error) if error.as_db_error().is_none() => return Err(error.into()),
            Err(error) => {
                Decided { dead_letter_id: letter.id, event_id: None, error: Some(database::describe(&error)) }
            }
        };
        if !choice.json {
            match &decided.error {
                None => output::line(format!("{} {}: {}", letter.id, decision.done(), letter.about()))?,
                Some(error) => eprintln!("{}: {error}", letter.id),
            }
        }
        all.push(decided);
    }
    if choice.json {
        output::line(serde_json::to_string_pretty(&all)?)?;
    }
    let refused = all.iter().filter(|decided| decided.error.is_some()).count();
    if refused == all.len() {
        bail!("none of {} could be {}", counted(all.len()), decision.done());
    }
    Ok(if refused == 0 { Outcome::Done } else { Outcome::Look })
}

async fn chosen(client: &Client, choice: &DlqChoice, verb: &str) -> anyhow::Result<Vec<Letter>> {
    if !choice.ids.is_empty() {
        if choice.all || !choice.filter.is_empty() {
            bail!("dlq {verb} takes ids, or conditions that choose from the open ones, not both");
        }
        return match letter::by_ids(client, &choice.ids).await? {
            Ok(letters) => Ok(letters),
            Err(missing) => {
                let missing: Vec<String> = missing.iter().map(Uuid::to_string).collect();
                bail!(
                    "no dead letter {}: `lifestream dlq list --status all` shows those that there are",
                    missing.join(", ")
                );
            }
        };
    }
    if choice.filter.is_empty() && !choice.all {
        bail!("dlq {verb}: which ones? Give ids, conditions such as --type or --error, or --all");
    }
    letter::find(client, &choice.filter, Some("open"), None).await
}

fn counted(letters: usize) -> String {
    if letters == 1 { "1 dead letter".to_owned() } else { format!("{letters} dead letters") }
}
