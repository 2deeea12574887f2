//! Exit codes, and how a failure is told.

use std::io::Write;
use std::process::ExitCode;

use lifestream_agents::AgentError;
use lifestream_agents::materializer::MaterializerError;
use lifestream_bridge::BridgeError;
use lifestream_envelope::kafka::KafkaError;
use lifestream_envelope::postgres::PostgresError;
use lifestream_envelope::settings::SettingsError;
use lifestream_gateway::GatewayError;

/// Each code and when it comes: shown by `--help`, and in `docs/commands.md`.
pub const CODES: &[(u8, &str)] = &[
    (0, "done"),
    (1, "failed: the last line on stderr says why"),
    (2, "the command line is not understood"),
    (
        3,
        "done, but look: `init --check`, `doctor` or `rebuild --dry-run` found something, `verify` misses events or met them twice or out of order, `import` skipped bad lines, `dlq` could not decide about some",
    ),
    (78, "a setting is wrong or missing, a password or certificate among them: the last line on stderr names it"),
    (130, "interrupted: a second Ctrl-C, or the first one during a chore"),
];

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Done,
    /// It worked, and found something that a person should look at.
    Look,
    /// A signal ended a chore.
    Interrupted,
}

impl Outcome {
    /// The process's exit code.
    pub fn code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Look => ExitCode::from(3),
            Self::Interrupted => ExitCode::from(130),
        }
    }
}

/// Tells on stderr, and gives the exit code.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    // Whoever reads our output has gone away, as `head` does: that is no failure.
    if error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    {
        return ExitCode::SUCCESS;
    }
    // The exit code says it too, should nobody read stderr any more.
    let _ = writeln!(std::io::stderr(), "error: {}", message(error));
    ExitCode::from(if is_setting(error) { 78 } else { 1 })
}

fn message(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let words = match cause.downcast_ref::<tokio_postgres::Error>() {
            Some(answer) => crate::database::describe(answer),
            None => cause.to_string(),
        };
        // Errors that show their source's words already would say them twice.
        if !text.contains(&words) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&words);
        }
        if cause.is::<tokio_postgres::Error>() {
            break;
        }
    }
    text
}

fn is_setting(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<SettingsError>()
            || cause.downcast_ref::<PostgresError>().is_some_and(PostgresError::is_setting)
            || cause.downcast_ref::<KafkaError>().is_some_and(KafkaError::is_setting)
            || cause.downcast_ref::<AgentError>().is_some_and(AgentError::is_setting)
            || cause.downcast_ref::<GatewayError>().is_some_and(GatewayError::is_setting)
            || matches!(cause.downcast_ref(), Some(BridgeError::Postgres(e)) if e.is_setting())
            || matches!(cause.downcast_ref(), Some(BridgeError::Kafka(e)) if e.is_setting())
            || matches!(cause.downcast_ref(), Some(MaterializerError::Postgres(e)) if e.is_setting())
            || matches!(cause.downcast_ref(), Some(MaterializerError::Kafka(e)) if e.is_setting())
    })
}
