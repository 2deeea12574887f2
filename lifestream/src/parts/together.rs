//! All parts in one process.

use anyhow::Context;
use clap::ValueEnum;
use lifestream_agents::{materializer, router, runner};
use lifestream_envelope::Until;
use lifestream_envelope::postgres;
use lifestream_envelope::settings::Settings;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cli::AgentName;
use crate::exit::Outcome;

/// A part that `up` runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Postgres to Kafka.
    Bridge,
    /// Events to state.
    Materializer,
    /// Events to work.
    Router,
    /// Work to events.
    Agent(AgentName),
    /// HTTP to events.
    Gateway,
}

impl Part {
    /// All, in the order in which an event comes by.
    fn all() -> Vec<Self> {
        let agents = AgentName::value_variants().iter().copied().map(Self::Agent);
        [Self::Bridge, Self::Materializer, Self::Router].into_iter().chain(agents).chain([Self::Gateway]).collect()
    }

    fn name(self) -> String {
        match self {
            Self::Bridge => "bridge".to_owned(),
            Self::Materializer => "materializer".to_owned(),
            Self::Router => "router".to_owned(),
            Self::Agent(agent) => agent.name(),
            Self::Gateway => "gateway".to_owned(),
        }
    }

    /// The setting without which it cannot run, and what that says.
    fn lacks(self, settings: &Settings) -> Option<&'static str> {
        match self {
            Self::Agent(AgentName::Publisher) if settings.agents.feed_dir.is_none() => {
                Some("LIFESTREAM_FEED_DIR, the folder that it writes the feed to")
            }
            Self::Gateway if settings.gateway.tokens_file.is_none() => {
                Some("LIFESTREAM_GATEWAY_TOKENS_FILE, which says who may send")
            }
            _ => None,
        }
    }

    async fn run(self, settings: &Settings, shutdown: CancellationToken, until: Until) -> anyhow::Result<()> {
        match self {
            Self::Bridge => lifestream_bridge::run(settings, shutdown, until).await?,
            Self::Materializer => {
                materializer::run(settings, materializer::Options::default(), shutdown, until).await?;
            }
            Self::Router => router::run(settings, router::Options::default(), shutdown, until).await?,
            Self::Agent(agent) => super::work(agent, settings, runner::Options::default(), shutdown, until).await?,
            Self::Gateway => lifestream_gateway::run(settings, shutdown).await?,
        }
        Ok(())
    }
}

/// The stages of `lifestream.pipeline_status` that parts report, in the order in which an event comes by.
pub fn stages() -> Vec<String> {
    Part::all().into_iter().filter(|part| *part != Part::Gateway).map(Part::name).collect()
}

/// The parts that can run with these settings, in the order in which an event comes by. What is left out is said.
pub fn parts(settings: &Settings) -> Vec<Part> {
    let mut parts = Part::all();
    parts.retain(|part| {
        let lacks = part.lacks(settings);
        if let Some(setting) = lacks {
            tracing::info!("no {}: {setting}, is not set", part.name());
        }
        lacks.is_none()
    });
    parts
}

/// All at once, until told to stop. The first that fails for good ends all, with its error.
///
/// # Errors
/// That one's.
pub async fn until_shutdown(
    settings: &Settings,
    parts: &[Part],
    shutdown: CancellationToken,
) -> anyhow::Result<Outcome> {
    let mut running: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for part in parts.iter().copied() {
        let (own, token) = (settings.clone(), shutdown.clone());
        running.spawn(async move { part.run(&own, token, Until::Shutdown).await.context(part.name()) });
    }
    let mut result = Ok(Outcome::Done);
    while let Some(ended) = running.join_next().await {
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

/// One after the other, each until it has nothing left to do, and all of them again until a whole round has moved
/// nothing: what the bridge publishes is what the router makes work of, and what an agent emits the bridge publishes.
///
/// # Errors
/// That of the first part that fails for good.
pub async fn until_idle(settings: &Settings, parts: &[Part], shutdown: CancellationToken) -> anyhow::Result<Outcome> {
    let mut before = standing(settings).await?;
    loop {
        // The gateway only brings in what is new.
        for part in parts.iter().copied().filter(|part| *part != Part::Gateway) {
            part.run(settings, shutdown.clone(), Until::Idle).await.context(part.name())?;
            if shutdown.is_cancelled() {
                return Ok(Outcome::Done);
            }
        }
        let after = standing(settings).await?;
        if after.is_idle && after.last_event == before.last_event {
            return Ok(Outcome::Done);
        }
        before = after;
    }
}

/// What tells whether a round has moved anything.
struct Standing {
    last_event: i64,
    is_idle: bool,
}

async fn standing(settings: &Settings) -> anyhow::Result<Standing> {
    let session = postgres::connect(&settings.postgres, "up").await?;
    let row = session
        .client
        .query_one(
            "SELECT coalesce((SELECT max(seq) FROM lifestream.events), 0), \
             NOT EXISTS (SELECT FROM lifestream.unpublished_events) \
             AND NOT EXISTS (SELECT FROM lifestream.pending_retries WHERE not_before <= now())",
            &[],
        )
        .await?;
    Ok(Standing { last_event: row.try_get(0)?, is_idle: row.try_get(1)? })
}
