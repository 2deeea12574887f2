//! The chores: what runs once and answers.

mod confirm;
mod decide;
mod dlq;
mod doctor;
mod emit;
mod init;
mod parked;
mod rebuild;
pub mod replay;
mod reset;
mod status;
mod tags;
mod tail;
mod topics;
mod verify;

use lifestream_envelope::settings::Settings;
use tokio_util::sync::CancellationToken;

use crate::cli::Command;
use crate::exit::Outcome;

/// Runs a chore.
///
/// # Errors
/// The chore's.
pub async fn run(command: Command, settings: &Settings, shutdown: &CancellationToken) -> anyhow::Result<Outcome> {
    match command {
        Command::Init(options) => init::run(settings, &options).await,
        Command::Reset(options) => reset::run(settings, &options).await,
        Command::Rebuild(options) => rebuild::run(settings, &options).await,
        Command::Emit(options) => emit::run(settings, options).await,
        Command::Import(options) => crate::import::run(settings, options).await,
        Command::Status(options) => status::run(settings, &options).await,
        Command::Dlq { command } => dlq::run(settings, command).await,
        Command::Parked { command } => parked::run(settings, command).await,
        Command::Tags { command } => tags::run(settings, command).await,
        Command::Doctor(options) => doctor::run(settings, options.json).await,
        Command::Verify(options) => verify::run(settings, &options).await,
        Command::Tail(options) => tail::run(settings, options, shutdown).await,
        Command::Topics(options) => topics::run(settings, options.json).await,
        Command::Bridge(_)
        | Command::Materializer(_)
        | Command::Router(_)
        | Command::Agent(_)
        | Command::Gateway(_)
        | Command::Up(_)
        | Command::Replay(_)
        | Command::Completions { .. } => Ok(Outcome::Done),
    }
}
