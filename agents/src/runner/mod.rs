//! Runs an agent: consume → handle with bounded concurrency, order kept for each key → emit → commit.

mod agent;

pub use agent::{Agent, Context, Fact, Failure, Lane};

use lifestream_envelope::Until;
use lifestream_envelope::settings::Settings;
use tokio_util::sync::CancellationToken;

use crate::AgentError;

/// What one run of an agent may choose.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Consumer group, before the prefix is put to it; none for the agent's own. Another group does all work that is
    /// retained anew, and its results are new facts.
    pub group: Option<String>,
}

/// Works until `shutdown`, or until no work is left where `until` is [`Until::Idle`].
///
/// # Errors
/// What trying again cannot help ([`AgentError::is_permanent`]).
pub async fn run(
    _settings: &Settings,
    _agent: impl Agent,
    _options: Options,
    shutdown: CancellationToken,
    _until: Until,
) -> Result<(), AgentError> {
    shutdown.cancelled().await;
    Ok(())
}
