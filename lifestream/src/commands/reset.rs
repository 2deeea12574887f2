//! `lifestream reset`: forgets the old Kafka cluster.

use anyhow::{Context, bail};
use lifestream_bridge::unflag;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::topics::TOPICS;
use lifestream_envelope::work::Work;
use tokio_postgres::Client;

use crate::cli::ResetOptions;
use crate::commands::confirm;
use crate::database;
use crate::exit::Outcome;
use crate::output;

/// The bridge's advisory lock: while it is held here, no bridge begins to work.
const BRIDGE_LOCK: i64 = i64::from_be_bytes(*b"lifestre");

/// What forgets, in this order: each statement and how its count is told. State tables stay: materializing anew changes nothing there.
const FORGET: &[(&str, &str)] = &[
    ("DELETE FROM lifestream.event_ingest_dedupe", "events that consumers had taken in"),
    ("DELETE FROM lifestream.kafka_offsets", "offsets"),
    ("DELETE FROM lifestream.consumer_progress", "rows of the router's and the agents' progress"),
    // Those that wait for another first.
    ("DELETE FROM lifestream.parked WHERE behind IS NOT NULL", "events parked behind another"),
    ("DELETE FROM lifestream.parked", "parked events"),
    ("DELETE FROM lifestream.discarded", "discarded events"),
    ("DELETE FROM lifestream.findings", "findings of the bridge"),
    ("DELETE FROM lifestream.bridge_progress", "rows of the bridge's progress"),
];

/// Asks, then forgets.
pub async fn run(settings: &Settings, options: &ResetOptions) -> anyhow::Result<Outcome> {
    let mut session = database::connect(settings, "reset").await?;
    let client = &mut session.client;
    refuse_while_running(client).await?;
    if !options.yes && !confirmed(client, options.topics).await? {
        output::line("nothing was changed")?;
        return Ok(Outcome::Done);
    }
    let kafka = if options.topics { Some(database::kafka(settings).await?) } else { None };

    // Together and first: cut off after this, a bridge publishes what has no flag; run again, the rest loses its flag too.
    let transaction = client.transaction().await?;
    let mut told = Vec::new();
    for (statement, what) in FORGET {
        let count = transaction.execute(*statement, &[]).await?;
        told.push(format!("{count} {what}: forgotten"));
    }
    transaction.commit().await?;
    for line in told {
        output::line(line)?;
    }
    let flags = unflag::all(client).await?;
    output::line(format!("{flags} events: to be published anew"))?;
    if let Some(kafka) = kafka {
        let added = added_topics(client).await?;
        for name in TOPICS.iter().map(|spec| spec.name).chain(added.iter().map(String::as_str)) {
            let name = kafka.topic(name);
            let deleted = kafka.delete_topic(&name).await?;
            output::line(format!("topic {name}: {}", if deleted { "deleted" } else { "was not there" }))?;
        }
        output::line("`lifestream init` creates the topics anew")?;
    }
    Ok(Outcome::Done)
}

/// The topics of work types that people added: the router makes them anew.
async fn added_topics(client: &Client) -> anyhow::Result<Vec<String>> {
    let rows = client.query("SELECT DISTINCT work_type FROM lifestream.routes ORDER BY 1", &[]).await?;
    let topics: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0).map(Work::topic)).collect();
    Ok(topics?.into_iter().filter(|topic| TOPICS.iter().all(|spec| spec.name != topic)).collect())
}

/// A part that runs would work on with what it remembers.
async fn refuse_while_running(client: &Client) -> anyhow::Result<()> {
    let parts = client
        .query(
            "SELECT application_name, pid, coalesce(host(client_addr), 'this machine') FROM pg_catalog.pg_stat_activity \
             WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid() AND application_name LIKE 'lifestream %' \
             ORDER BY application_name",
            &[],
        )
        .await?;
    if let Some(row) = parts.first() {
        let (name, pid, host): (String, i32, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        bail!("`{name}` is running (from {host}, server process {pid}): stop every part first");
    }
    let holder = client
        .query_opt(
            "SELECT holder, extract(epoch FROM lease_until - pg_catalog.clock_timestamp())::double precision \
             FROM lifestream.bridge_progress WHERE lease_until > pg_catalog.clock_timestamp() AND NOT closed",
            &[],
        )
        .await
        .context("lifestream.bridge_progress")?;
    if let Some(row) = holder {
        let (holder, seconds): (String, f64) = (row.try_get(0)?, row.try_get(1)?);
        bail!("the bridge {holder} may still be running: it has the lease for {seconds:.0} s more");
    }
    let free: bool =
        client.query_one("SELECT pg_catalog.pg_try_advisory_lock($1)", &[&BRIDGE_LOCK]).await?.try_get(0)?;
    if !free {
        bail!("a bridge is running: stop every part first");
    }
    Ok(())
}

async fn confirmed(client: &Client, topics: bool) -> anyhow::Result<bool> {
    // An estimate, for a table of any size.
    let events: f32 = client
        .query_one(
            "SELECT greatest(reltuples, 0) FROM pg_catalog.pg_class WHERE oid = 'lifestream.events'::regclass",
            &[],
        )
        .await?
        .try_get(0)?;
    let and_topics = if topics { " All topics are deleted, with everything in them." } else { "" };
    confirm::ask(
        "reset",
        &format!(
            "Every event (about {events:.0}) will be published and materialized anew; consumer offsets, progress and parked events are forgotten. \
             Events, state tables and work that waits for its time stay.{and_topics}"
        ),
    )
}
