//! `lifestream dlq show`: one dead letter, its whole story.

use anyhow::bail;
use jiff::Timestamp;
use serde::Deserialize;
use tokio_postgres::Client;

use crate::cli::DlqShowOptions;
use crate::exit::Outcome;
use crate::output;
use crate::table::{or_dash, table};

use super::letter::{self, Letter};

/// A member of `dead_letters.attempts`.
#[derive(Debug, Deserialize)]
struct Attempt {
    attempt: i32,
    failed_at: Timestamp,
    agent: Option<String>,
    permanent: bool,
    error: String,
}

/// Shows it.
pub async fn run(client: &Client, options: &DlqShowOptions) -> anyhow::Result<Outcome> {
    let Ok(letters) = letter::by_ids(client, &[options.id]).await? else {
        bail!("no dead letter {}: `lifestream dlq list --status all` shows those that there are", options.id);
    };
    for letter in letters {
        if options.json {
            output::line(serde_json::to_string_pretty(&letter)?)?;
        } else {
            output::line(story(&letter)?)?;
        }
    }
    Ok(Outcome::Done)
}

fn story(letter: &Letter) -> anyhow::Result<String> {
    let facts = [
        ("id", Some(letter.id.to_string())),
        ("status", Some(status(letter))),
        ("work", letter.work_type.clone()),
        ("about", Some(letter.what().to_owned())),
        ("subject", Some(letter.subject_id.clone())),
        ("tenant", Some(letter.tenant_id.clone()).filter(|tenant| !tenant.is_empty())),
        ("triggered by", letter.triggered_by_event_id.map(|id| id.to_string())),
        ("given up", letter.failed_at.map(|at| format!("{at:.0} by {}", or_dash(letter.agent.clone())))),
        ("error", letter.error.clone()),
    ];
    let mut text = String::new();
    for (name, value) in facts {
        if let Some(value) = value {
            text.push_str(&format!("{name:<14}{}\n", value.trim().replace('\n', "\n              ")));
        }
    }
    let attempts: Vec<Attempt> = serde_json::from_str(letter.attempts.get())?;
    if !attempts.is_empty() {
        let rows = attempts.into_iter().map(|attempt| {
            vec![
                attempt.attempt.to_string(),
                format!("{:.0}", attempt.failed_at),
                or_dash(attempt.agent),
                if attempt.permanent { "for good" } else { "may pass" }.to_owned(),
                attempt.error,
            ]
        });
        text.push_str(&format!("\n{}\n", table(&["ATTEMPT", "FAILED AT", "AGENT", "", "ERROR"], &[0], rows)));
    }
    let message: serde_json::Value = serde_json::from_str(letter.work_message.get())?;
    text.push_str(&format!("\nwork message\n{}", serde_json::to_string_pretty(&message)?));
    Ok(text)
}

fn status(letter: &Letter) -> String {
    let mut status = letter.status.clone();
    if let Some(at) = letter.decided_at {
        status.push_str(&format!(" at {at:.0}"));
    }
    if let Some(reason) = &letter.reason {
        status.push_str(&format!(": {reason}"));
    }
    status
}
