//! Runs the parts: alone, or all in one process.

mod together;

pub use together::stages;

use lifestream_agents::enricher::Enricher;
use lifestream_agents::fetcher::Fetcher;
use lifestream_agents::publisher::Publisher;
use lifestream_agents::{materializer, router, runner};
use lifestream_envelope::Until;
use lifestream_envelope::postgres::PostgresError;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::settings::keys::Section;
use tokio_util::sync::CancellationToken;

use crate::cli::{AgentName, AgentOptions, MaterializerOptions, RouterOptions, UpOptions};
use crate::exit::Outcome;

/// Publishes.
///
/// # Errors
/// What the bridge cannot help.
pub async fn bridge(settings: Settings, until: Until, shutdown: CancellationToken) -> anyhow::Result<Outcome> {
    announce("bridge", &settings, &[Section::Postgres, Section::Kafka, Section::Bridge])?;
    lifestream_bridge::run(&settings, shutdown, until).await?;
    Ok(Outcome::Done)
}

/// Derives state.
///
/// # Errors
/// What the materializer cannot help.
pub async fn materializer(
    settings: Settings,
    options: MaterializerOptions,
    shutdown: CancellationToken,
) -> anyhow::Result<Outcome> {
    announce("materializer", &settings, &[Section::Postgres, Section::Kafka])?;
    let until = options.until.until();
    materializer::run(&settings, options.into(), shutdown, until).await?;
    Ok(Outcome::Done)
}

/// Turns facts into work.
///
/// # Errors
/// What the router cannot help.
pub async fn router(
    settings: Settings,
    options: RouterOptions,
    shutdown: CancellationToken,
) -> anyhow::Result<Outcome> {
    announce("router", &settings, &[Section::Postgres, Section::Kafka, Section::Agents])?;
    router::run(&settings, router::Options { group: options.group }, shutdown, options.until.until()).await?;
    Ok(Outcome::Done)
}

/// Does one type of work.
///
/// # Errors
/// What the agent cannot help.
pub async fn agent(settings: Settings, options: AgentOptions, shutdown: CancellationToken) -> anyhow::Result<Outcome> {
    announce("agent", &settings, &[Section::Postgres, Section::Kafka, Section::Agents])?;
    let until = options.until.until();
    let own = runner::Options { group: options.group, ..runner::Options::default() };
    work(options.agent, &settings, own, shutdown, until).await?;
    Ok(Outcome::Done)
}

async fn work(
    agent: AgentName,
    settings: &Settings,
    own: runner::Options,
    shutdown: CancellationToken,
    until: Until,
) -> anyhow::Result<()> {
    match agent {
        AgentName::Fetcher => runner::run(settings, Fetcher::new(settings)?, own, shutdown, until).await?,
        AgentName::Enricher => runner::run(settings, Enricher::new(settings)?, own, shutdown, until).await?,
        AgentName::Publisher => runner::run(settings, Publisher::new(settings)?, own, shutdown, until).await?,
    }
    Ok(())
}

/// Takes events over HTTP.
///
/// # Errors
/// What the gateway cannot help.
pub async fn gateway(settings: Settings, shutdown: CancellationToken) -> anyhow::Result<Outcome> {
    announce("gateway", &settings, &[Section::Postgres, Section::Http])?;
    lifestream_gateway::run(&settings, shutdown).await?;
    Ok(Outcome::Done)
}

/// Every part in one process. The first that fails for good ends all, with its error.
///
/// # Errors
/// That one's.
pub async fn up(settings: Settings, options: UpOptions, shutdown: CancellationToken) -> anyhow::Result<Outcome> {
    announce("up", &settings, &[Section::Postgres, Section::Kafka, Section::Bridge, Section::Agents, Section::Http])?;
    let parts = together::parts(&settings);
    if options.until_idle {
        return together::until_idle(&settings, &parts, shutdown).await;
    }
    together::until_shutdown(&settings, &parts, shutdown).await
}

/// Says once what the process runs with, secrets masked. A part that lacks a setting need not look for its servers.
fn announce(part: &str, settings: &Settings, sections: &[Section]) -> anyhow::Result<()> {
    if settings.postgres.url.is_none() {
        return Err(PostgresError::Missing.into());
    }
    let described = settings.describe().into_iter().filter(|setting| sections.contains(&setting.section));
    let list: Vec<String> = described.map(|s| format!("{}={} ({})", s.name, s.value, s.origin)).collect();
    tracing::info!(
        "lifestream {} {part}, process {}, with {}",
        env!("CARGO_PKG_VERSION"),
        std::process::id(),
        list.join(", ")
    );
    Ok(())
}
