//! `lifestream status`: where the pipeline stands.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use lifestream_envelope::settings::Settings;
use serde::Serialize;
use tokio_postgres::Client;

use crate::cli::StatusOptions;
use crate::database;
use crate::exit::Outcome;
use crate::output;
use crate::parts;
use crate::table::{age, first_line, or_dash, table};

/// A row of `lifestream.pipeline_status`.
#[derive(Debug, Serialize)]
struct Stage {
    stage: String,
    consumer_group: Option<String>,
    backlog: Option<i64>,
    oldest_age_seconds: Option<f64>,
    rate: Option<f64>,
    parked: i64,
    last_error: Option<String>,
    updated_at: Option<Timestamp>,
    /// Hosts and APIs that its group goes easy on.
    circuits: Vec<Circuit>,
}

/// A row of `lifestream.circuits`: one that is not closed.
#[derive(Debug, Clone, Serialize)]
pub struct Circuit {
    /// Whose.
    #[serde(skip)]
    pub consumer_group: String,
    /// The host or API.
    pub lane: String,
    /// `slow`, `paused` or `probing`.
    pub state: String,
    failures: i32,
    /// Paused: when it is tried again.
    pub until: Option<Timestamp>,
    /// Why.
    pub last_error: Option<String>,
}

/// Shows it, once or again and again.
pub async fn run(settings: &Settings, options: &StatusOptions) -> anyhow::Result<Outcome> {
    loop {
        let session = database::connect(settings, "status").await?;
        loop {
            let stages = match read(&session.client).await {
                Ok(stages) => stages,
                // Watching goes on over a restart of the server.
                Err(error) if options.watch.is_some() && error.is_closed() => break,
                Err(error) => return Err(error).context("lifestream.pipeline_status"),
            };
            show(&stages, options)?;
            let Some(seconds) = options.watch else { return Ok(Outcome::Done) };
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
    }
}

async fn read(client: &Client) -> Result<Vec<Stage>, tokio_postgres::Error> {
    let rows = client
        .query(
            "SELECT stage, consumer_group, backlog::bigint, extract(epoch FROM oldest_age)::double precision, rate::double precision, \
                 parked::bigint, last_error, updated_at \
             FROM lifestream.pipeline_status \
             ORDER BY coalesce(array_position($1::text[], stage), \
                               CASE stage WHEN 'retries' THEN 101 WHEN 'dead_letters' THEN 102 ELSE 100 END), stage, consumer_group",
            &[&parts::stages()],
        )
        .await?;
    let circuits = circuits(client).await?;
    rows.iter()
        .map(|row| {
            let group: Option<String> = row.try_get(1)?;
            Ok(Stage {
                circuits: circuits.iter().filter(|c| Some(&c.consumer_group) == group.as_ref()).cloned().collect(),
                stage: row.try_get(0)?,
                consumer_group: group,
                backlog: row.try_get(2)?,
                oldest_age_seconds: row.try_get(3)?,
                rate: row.try_get(4)?,
                parked: row.try_get(5)?,
                last_error: row.try_get(6)?,
                updated_at: row.try_get(7)?,
            })
        })
        .collect()
}

/// Every circuit that is not closed.
///
/// # Errors
/// As the database has it.
pub async fn circuits(client: &Client) -> Result<Vec<Circuit>, tokio_postgres::Error> {
    let rows = client
        .query(
            "SELECT consumer_group, lane, state, failures, until, last_error FROM lifestream.circuits \
             WHERE holds_until > now() ORDER BY consumer_group, lane",
            &[],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Circuit {
                consumer_group: row.try_get(0)?,
                lane: row.try_get(1)?,
                state: row.try_get(2)?,
                failures: row.try_get(3)?,
                until: row.try_get(4)?,
                last_error: row.try_get(5)?,
            })
        })
        .collect()
}

fn show(stages: &[Stage], options: &StatusOptions) -> anyhow::Result<()> {
    if options.json {
        // Watching prints one array a line, for whoever reads a stream.
        let text = if options.watch.is_some() {
            serde_json::to_string(stages)?
        } else {
            serde_json::to_string_pretty(stages)?
        };
        return output::line(text);
    }
    let clear = if options.watch.is_some() && std::io::stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "" };
    let now = Timestamp::now();
    let rows = stages.iter().map(|stage| {
        vec![
            stage.stage.clone(),
            or_dash(stage.consumer_group.clone()),
            or_dash(stage.backlog),
            or_dash(stage.oldest_age_seconds.map(age)),
            or_dash(stage.rate.map(|rate| format!("{rate:.0}/s"))),
            stage.parked.to_string(),
            or_dash(stage.updated_at.map(|at| format!("{} ago", age(now.duration_since(at).as_secs_f64())))),
            or_dash(stage.last_error.as_deref().map(first_line)),
        ]
    });
    let shown = table(
        &["STAGE", "GROUP", "BACKLOG", "OLDEST", "RATE", "PARKED", "UPDATED", "LAST ERROR"],
        &[2, 3, 4, 5, 6],
        rows,
    );
    output::line(format!("{clear}{shown}"))?;
    let circuits = stages.iter().flat_map(|stage| &stage.circuits);
    let rows: Vec<_> = circuits.map(|circuit| circuit.row(now)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    output::line("")?;
    output::line(table(&["CIRCUIT", "GROUP", "STATE", "FAILURES", "AGAIN IN", "LAST ERROR"], &[3, 4], rows))
}

impl Circuit {
    fn row(&self, now: Timestamp) -> Vec<String> {
        let again = self.until.map(|until| age(until.duration_since(now).as_secs_f64()));
        vec![
            self.lane.clone(),
            self.consumer_group.clone(),
            self.state.clone(),
            self.failures.to_string(),
            or_dash(again),
            or_dash(self.last_error.as_deref().map(first_line)),
        ]
    }
}
