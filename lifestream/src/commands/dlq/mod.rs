//! `lifestream dlq`: the work that nobody will try again by itself, for a person to decide about.

mod decide;
mod letter;
mod show;

use jiff::Timestamp;
use lifestream_envelope::settings::Settings;

use crate::cli::{DlqCommand, DlqListOptions};
use crate::database;
use crate::exit::Outcome;
use crate::output;
use crate::table::{age, first_line, or_dash, table};

use decide::Decision;
use letter::Letter;

/// Lists, shows, or decides.
pub async fn run(settings: &Settings, command: DlqCommand) -> anyhow::Result<Outcome> {
    let session = database::connect(settings, "dlq").await?;
    let client = &session.client;
    match command {
        DlqCommand::List(options) => list(client, &options).await,
        DlqCommand::Show(options) => show::run(client, &options).await,
        DlqCommand::Retry(options) => decide::run(client, &options.choice, Decision::Retry).await,
        DlqCommand::Discard(options) => {
            decide::run(client, &options.choice, Decision::Discard { reason: options.reason }).await
        }
    }
}

async fn list(client: &tokio_postgres::Client, options: &DlqListOptions) -> anyhow::Result<Outcome> {
    let letters = letter::find(client, &options.filter, options.status.value(), options.count).await?;
    if options.json {
        output::line(serde_json::to_string_pretty(&letters)?)?;
    } else if letters.is_empty() {
        eprintln!("no dead letters");
    } else {
        output::line(listed(&letters))?;
    }
    Ok(Outcome::Done)
}

/// One line for each.
fn listed(letters: &[Letter]) -> String {
    let now = Timestamp::now();
    let rows = letters.iter().map(|letter| {
        vec![
            letter.id.to_string(),
            letter.status.clone(),
            or_dash(letter.work_type.clone()),
            or_dash(letter.attempt),
            or_dash(letter.failed_at.map(|at| age(now.duration_since(at).as_secs_f64()))),
            letter.what().to_owned(),
            or_dash(letter.error.as_deref().map(first_line)),
        ]
    });
    table(&["ID", "STATUS", "TYPE", "ATTEMPT", "AGE", "ABOUT", "ERROR"], &[3, 4], rows)
}
