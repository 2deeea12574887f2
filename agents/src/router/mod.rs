//! The router: turns facts into tasks.

use lifestream_envelope::settings::Settings;
use lifestream_envelope::{Until, groups};
use tokio_util::sync::CancellationToken;

use crate::AgentError;

/// What one run of the router may choose.
#[derive(Debug, Clone)]
pub struct Options {
    /// Consumer group, before the prefix is put to it.
    pub group: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { group: groups::ROUTER.to_owned() }
    }
}

/// Routes until `shutdown`, or until nothing is left to route where `until` is [`Until::Idle`].
///
/// # Errors
/// What trying again cannot help ([`AgentError::is_permanent`]).
pub async fn run(
    _settings: &Settings,
    _options: Options,
    shutdown: CancellationToken,
    _until: Until,
) -> Result<(), AgentError> {
    shutdown.cancelled().await;
    Ok(())
}
