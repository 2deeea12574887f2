//! The demo site's server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use lifestream_demo::{Options, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Serves the demonstration's web sites, by Host, and what the publisher wrote.
///
/// Every URL of demo/bookmarks.html is answered: open http://demo.localhost:8808/ for a list.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8808")]
    listen: SocketAddr,
    /// Writes the port there once it listens
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
    /// The folder that the publisher writes to, shown on http://127.0.0.1 and http://feed.demo.localhost
    #[arg(long, value_name = "FOLDER")]
    published: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        // In one line, also where backtraces are wanted: `make up` reads why it ended.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let listener =
        TcpListener::bind(arguments.listen).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let port = listener.local_addr()?.port();
    if let Some(file) = &arguments.port_file {
        note(file, port).with_context(|| format!("cannot write {}", file.display()))?;
    }
    eprintln!("lifestream-demo: the sites are listed on http://demo.localhost:{port}/");
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let options = Options { published: arguments.published, ..Options::default() };
    // Whoever is reading comes again; there is nothing to drain.
    tokio::select! {
        ended = serve(listener, options) => ended,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

/// Whole or not at all: who waits for the file reads it as soon as it is there.
fn note(file: &Path, port: u16) -> std::io::Result<()> {
    let unfinished = file.with_extension("new");
    std::fs::write(&unfinished, format!("{port}\n"))?;
    std::fs::rename(unfinished, file)
}
