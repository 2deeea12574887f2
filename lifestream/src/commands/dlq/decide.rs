//! `lifestream dlq retry` and `discard`: what a person decides about dead letters.

use anyhow::bail;
use serde_json::Value;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::cli::DlqChoice;
use crate::commands::decide::{self, Choice, Item, Manner, Words};
use crate::exit::Outcome;

use super::letter::{self, Letter};
use super::listed;

impl Item for Letter {
    fn id(&self) -> Value {
        self.id.to_string().into()
    }

    fn about(&self) -> &str {
        self.what()
    }
}

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

impl Decision {
    fn words(&self) -> Words {
        let (command, verb, done) = match self {
            Self::Retry => ("dlq retry", "retry", "to be tried again"),
            Self::Discard { .. } => ("dlq discard", "discard", "discarded"),
        };
        Words {
            command,
            noun: "dead letter",
            verb,
            done,
            keys: ("dead_letter_id", "event_id"),
            among: "the open ones",
            conditions: "--type or --error",
        }
    }

    async fn apply(&self, client: &Client, id: Uuid) -> Result<Value, tokio_postgres::Error> {
        let row = match self {
            Self::Retry => client.query_one("SELECT lifestream.retry_dead_letter($1)", &[&id]).await?,
            Self::Discard { reason } => {
                client.query_one("SELECT lifestream.discard_dead_letter($1, $2)", &[&id, reason]).await?
            }
        };
        Ok(row.try_get::<_, Uuid>(0)?.to_string().into())
    }
}

/// Finds them, asks where they were not named one by one, and decides.
pub async fn run(client: &Client, choice: &DlqChoice, decision: Decision) -> anyhow::Result<Outcome> {
    let words = decision.words();
    let letters = chosen(client, choice, words).await?;
    let DlqChoice { dry_run, yes, json, .. } = *choice;
    let manner = Manner { named: !choice.ids.is_empty(), dry_run, yes, json };
    decide::each(&letters, words, manner, listed, async |letter| decision.apply(client, letter.id).await).await
}

async fn chosen(client: &Client, choice: &DlqChoice, words: Words) -> anyhow::Result<Vec<Letter>> {
    let ids = match words.choice(&choice.ids, !choice.filter.is_empty(), choice.all)? {
        Choice::Conditions => return letter::find(client, &choice.filter, Some("open"), None).await,
        Choice::Ids(ids) => ids,
    };
    match letter::by_ids(client, ids).await? {
        Ok(letters) => Ok(letters),
        Err(missing) => {
            let missing: Vec<String> = missing.iter().map(Uuid::to_string).collect();
            bail!(
                "no dead letter {}: `lifestream dlq list --status all` shows those that there are",
                missing.join(", ")
            );
        }
    }
}
