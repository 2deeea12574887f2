//! What the parts say, on stderr.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::cli::Global;

/// librdkafka and its wrapper repeat for ever what the parts say once.
const QUIET: [&str; 2] = ["librdkafka=off", "rdkafka=off"];
/// Ours, by the names of the crates.
const OURS: [&str; 5] =
    ["lifestream", "lifestream_bridge", "lifestream_agents", "lifestream_envelope", "lifestream_gateway"];

/// Sets logging up. `RUST_LOG` counts unless a flag says otherwise.
pub fn init(global: &Global, part: bool) {
    let filter = match (&global.log_level, global.verbose, std::env::var("RUST_LOG")) {
        (Some(level), _, _) => quiet(EnvFilter::default().add_directive(LevelFilter::from(*level).into())),
        (None, 0, Ok(directives)) if !directives.is_empty() => EnvFilter::new(directives),
        // A chore answers on stdout; it needs no log of what went well.
        (None, 0, _) => quiet(EnvFilter::new(if part { "info" } else { "warn" })),
        (None, 1, _) => {
            let mut filter = quiet(EnvFilter::new("info"));
            for name in OURS {
                if let Ok(directive) = format!("{name}=debug").parse() {
                    filter = filter.add_directive(directive);
                }
            }
            filter
        }
        (None, _, _) => EnvFilter::new("debug"),
    };
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(color)
        .with_target(false)
        // It would tell stderr that stderr is gone, and panic.
        .log_internal_errors(false)
        .init();
}

fn quiet(mut filter: EnvFilter) -> EnvFilter {
    for directive in QUIET {
        if let Ok(directive) = directive.parse() {
            filter = filter.add_directive(directive);
        }
    }
    filter
}
