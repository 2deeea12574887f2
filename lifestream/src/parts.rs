//! Runs the parts: alone, or all in one process.

use anyhow::Context;
use lifestream_agents::enricher::Enricher;
use lifestream_agents::fetcher::Fetcher;
use lifestream_agents::publisher::Publisher;
use lifestream_agents::{materializer, router, runner};
use lifestream_envelope::Until;
use lifestream_envelope::postgres::PostgresError;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::settings::keys::Section;
use tokio::task::JoinSet;
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
    match options.agent {
        AgentName::Fetcher => runner::run(&settings, Fetcher::new(&settings)?, own, shutdown, until).await?,
        AgentName::Enricher => runner::run(&settings, Enricher::new(&settings)?, own, shutdown, until).await?,
        AgentName::Publisher => runner::run(&settings, Publisher::new(&settings)?, own, shutdown, until).await?,
    }
    Ok(Outcome::Done)
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
    announce("up", &settings, &[Section::Postgres, Section::Kafka, Section::Bridge])?;
    if options.until_idle {
        // One after the other: what the bridge publishes is what the materializer has to work off.
        lifestream_bridge::run(&settings, shutdown.clone(), Until::Idle).await.context("bridge")?;
        if !shutdown.is_cancelled() {
            materializer::run(&settings, materializer::Options::default(), shutdown, Until::Idle)
                .await
                .context("materializer")?;
        }
        return Ok(Outcome::Done);
    }
    let mut parts: JoinSet<anyhow::Result<()>> = JoinSet::new();
    let (own, token) = (settings.clone(), shutdown.clone());
    parts.spawn(async move { lifestream_bridge::run(&own, token, Until::Shutdown).await.context("bridge") });
    let (own, token) = (settings, shutdown.clone());
    parts.spawn(async move {
        materializer::run(&own, materializer::Options::default(), token, Until::Shutdown).await.context("materializer")
    });
    let mut result = Ok(Outcome::Done);
    while let Some(ended) = parts.join_next().await {
        if let Err(error) = ended.context("a part panicked").flatten() {
            if result.is_ok() {
                tracing::error!("{error:#}; the other parts drain");
                result = Err(error);
            }
            shutdown.cancel();
        }
    }
    result
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
