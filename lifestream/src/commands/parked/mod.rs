//! `lifestream parked`: what could not be published or applied, for a person to decide about.

mod row;

use anyhow::bail;
use jiff::Timestamp;
use lifestream_envelope::settings::Settings;
use serde_json::Value;
use tokio_postgres::Client;

use crate::cli::{ParkedChoice, ParkedCommand, ParkedListOptions, ParkedShowOptions};
use crate::commands::decide::{self, Choice, Item, Manner, Words};
use crate::database;
use crate::exit::Outcome;
use crate::output;
use crate::table::{age, first_line, or_dash, table};

use row::Parked;

const RETRY: Words = Words {
    command: "parked retry",
    noun: "parked event",
    verb: "retry",
    done: "to be tried again",
    keys: ("id", "released"),
    among: "what is parked",
    conditions: "--stage or --error",
};
const DISCARD: Words = Words { command: "parked discard", verb: "discard", done: "to be put away", ..RETRY };

/// Lists, shows, or decides.
pub async fn run(settings: &Settings, command: ParkedCommand) -> anyhow::Result<Outcome> {
    let session = database::connect(settings, "parked").await?;
    let client = &session.client;
    match command {
        ParkedCommand::List(options) => list(client, &options).await,
        ParkedCommand::Show(options) => show(client, &options).await,
        ParkedCommand::Retry(choice) => decide(client, &choice, RETRY, "SELECT lifestream.retry_parked($1)").await,
        ParkedCommand::Discard(choice) => {
            decide(client, &choice, DISCARD, "SELECT lifestream.discard_parked($1)").await
        }
    }
}

impl Item for Parked {
    fn id(&self) -> Value {
        self.id.into()
    }

    fn about(&self) -> &str {
        self.what()
    }
}

async fn list(client: &Client, options: &ParkedListOptions) -> anyhow::Result<Outcome> {
    let rows = row::find(client, &options.filter, options.behind, options.count).await?;
    if options.json {
        output::line(serde_json::to_string_pretty(&rows)?)?;
    } else if rows.is_empty() {
        eprintln!("nothing is parked");
    } else {
        output::line(listed(&rows))?;
    }
    Ok(Outcome::Done)
}

/// One line for each.
fn listed(rows: &[Parked]) -> String {
    let now = Timestamp::now();
    let rows = rows.iter().map(|row| {
        vec![
            row.id.to_string(),
            row.stage.clone(),
            or_dash(row.event_type.clone()),
            age(now.duration_since(row.parked_at).as_secs_f64()),
            row.waiting.to_string(),
            or_dash(row.decision.clone()),
            row.what().to_owned(),
            first_line(&row.error).to_owned(),
        ]
    });
    table(&["ID", "STAGE", "TYPE", "AGE", "BEHIND IT", "DECISION", "ABOUT", "ERROR"], &[0, 3, 4], rows)
}

async fn show(client: &Client, options: &ParkedShowOptions) -> anyhow::Result<Outcome> {
    let Ok(rows) = row::by_ids(client, &[options.id]).await? else {
        bail!("nothing is parked under {}: `lifestream parked list` shows what is", options.id);
    };
    for row in rows {
        output::line(if options.json { serde_json::to_string_pretty(&row)? } else { row.story()? })?;
    }
    Ok(Outcome::Done)
}

async fn decide(client: &Client, choice: &ParkedChoice, words: Words, statement: &str) -> anyhow::Result<Outcome> {
    let rows = chosen(client, choice, words).await?;
    let ParkedChoice { dry_run, yes, json, .. } = *choice;
    let manner = Manner { named: !choice.ids.is_empty(), dry_run, yes, json };
    decide::each(&rows, words, manner, listed, async |row| {
        let released: i64 = client.query_one(statement, &[&row.id]).await?.try_get(0)?;
        Ok(released.into())
    })
    .await
}

async fn chosen(client: &Client, choice: &ParkedChoice, words: Words) -> anyhow::Result<Vec<Parked>> {
    let ids = match words.choice(&choice.ids, !choice.filter.is_empty(), choice.all)? {
        Choice::Conditions => return row::find(client, &choice.filter, false, None).await,
        Choice::Ids(ids) => ids,
    };
    match row::by_ids(client, ids).await? {
        Ok(rows) => Ok(rows),
        Err(missing) => {
            let missing: Vec<String> = missing.iter().map(i64::to_string).collect();
            bail!("nothing is parked under {}: `lifestream parked list` shows what is", missing.join(", "));
        }
    }
}
