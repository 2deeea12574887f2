//! The program `lifestream`: one subcommand for each part and each chore. It parses, wires and prints; what the parts
//! do is in their crates.

mod cli;
mod commands;
mod database;
mod exit;
mod flags;
mod import;
mod logs;
mod output;
#[cfg(test)]
mod page;
mod parts;
mod progress;
mod shutdown;
mod table;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use lifestream_envelope::settings::Settings;

use cli::{Cli, Command};
use exit::Outcome;

fn main() -> ExitCode {
    let cli = Cli::parse();
    logs::init(&cli.global, cli.command.is_part());
    match try_main(cli) {
        Ok(outcome) => outcome.code(),
        Err(error) => exit::failed(&error),
    }
}

fn try_main(cli: Cli) -> anyhow::Result<Outcome> {
    // Needs no settings, and must work where they are wrong.
    if let Command::Completions { shell } = cli.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "lifestream", &mut script);
        std::io::stdout().write_all(&script)?;
        return Ok(Outcome::Done);
    }
    let settings = Settings::load(&flags::settings(&cli)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(run(cli.command, settings));
    // A question that librdkafka still waits for must not hold the process up.
    runtime.shutdown_background();
    outcome
}

async fn run(command: Command, settings: Settings) -> anyhow::Result<Outcome> {
    let shutdown = shutdown::on_signals()?;
    match command {
        Command::Bridge(options) => parts::bridge(settings, options.until(), shutdown).await,
        Command::Materializer(options) => parts::materializer(settings, options, shutdown).await,
        Command::Router(options) => parts::router(settings, options, shutdown).await,
        Command::Agent(options) => parts::agent(settings, options, shutdown).await,
        Command::Gateway(_) => parts::gateway(settings, shutdown).await,
        Command::Up(options) => parts::up(settings, options, shutdown).await,
        // Ends in order, and says from where to go on.
        Command::Replay(options) => commands::replay::run(&settings, &options, &shutdown).await,
        // A chore has nothing to drain: the first signal ends it, and a transaction under way is rolled back.
        chore => tokio::select! {
            outcome = commands::run(chore, &settings, &shutdown) => outcome,
            () = shutdown.cancelled() => Ok(Outcome::Interrupted),
        },
    }
}
