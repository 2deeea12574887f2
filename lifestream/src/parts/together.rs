//! All parts in one process.

use anyhow::Context;
use lifestream_agents::enricher::Enricher;
use lifestream_agents::fetcher::Fetcher;
use lifestream_agents::publisher::Publisher;
use lifestream_agents::{materializer, router, runner};
use lifestream_envelope::Until;
use lifestream_envelope::postgres;
use lifestream_envelope::settings::Settings;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

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
    /// Links to text.
    Fetcher,
    /// Text to tags and summary.
    Enricher,
    /// Links to a feed.
    Publisher,
    /// HTTP to events.
    Gateway,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Materializer => "materializer",
            Self::Router => "router",
            Self::Fetcher => "fetcher",
            Self::Enricher => "enricher",
            Self::Publisher => "publisher",
            Self::Gateway => "gateway",
        }
    }

    async fn run(self, settings: &Settings, shutdown: CancellationToken, until: Until) -> anyhow::Result<()> {
        let own = runner::Options::default();
        match self {
            Self::Bridge => lifestream_bridge::run(settings, shutdown, until).await?,
            Self::Materializer => {
                materializer::run(settings, materializer::Options::default(), shutdown, until).await?;
            }
            Self::Router => router::run(settings, router::Options::default(), shutdown, until).await?,
            Self::Fetcher => runner::run(settings, Fetcher::new(settings)?, own, shutdown, until).await?,
            Self::Enricher => runner::run(settings, Enricher::new(settings)?, own, shutdown, until).await?,
            Self::Publisher => runner::run(settings, Publisher::new(settings)?, own, shutdown, until).await?,
            Self::Gateway => lifestream_gateway::run(settings, shutdown).await?,
        }
        Ok(())
    }
}

/// The parts that can run with these settings, in the order in which an event comes by. What is left out is said.
pub fn parts(settings: &Settings) -> Vec<Part> {
    let mut parts = vec![Part::Bridge, Part::Materializer, Part::Router, Part::Fetcher, Part::Enricher];
    if settings.agents.feed_dir.is_some() {
        parts.push(Part::Publisher);
    } else {
        tracing::info!("no publisher: LIFESTREAM_FEED_DIR, the folder that it writes the feed to, is not set");
    }
    if settings.gateway.tokens_file.is_some() {
        parts.push(Part::Gateway);
    } else {
        tracing::info!("no gateway: LIFESTREAM_GATEWAY_TOKENS_FILE, which says who may send, is not set");
    }
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
