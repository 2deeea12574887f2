//! Flags that stand for settings.

use std::collections::BTreeMap;

use anyhow::bail;
use lifestream_envelope::settings::keys::{CONFIG_FILE, PROPERTY_PREFIX};

use crate::cli::{Cli, Command};

/// What was given on the command line, by the names of the settings.
///
/// # Errors
/// A pass-through that is no `name=value`.
pub fn settings(cli: &Cli) -> anyhow::Result<BTreeMap<String, String>> {
    let mut flags = BTreeMap::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            flags.insert(name.to_owned(), value);
        }
    };
    let global = &cli.global;
    put(CONFIG_FILE, global.config.as_ref().map(|path| path.display().to_string()));
    put("DATABASE_URL", global.database_url.clone());
    put("KAFKA_BROKERS", global.brokers.clone());
    put("KAFKA_TOPIC_PREFIX", global.topic_prefix.clone());
    if let Command::Bridge(options) = &cli.command {
        put("LIFESTREAM_BATCH_SIZE", options.batch_size.clone());
        put("LIFESTREAM_POLL_INTERVAL", options.poll_interval.clone());
    }
    if let Command::Gateway(options) = &cli.command {
        put("LIFESTREAM_GATEWAY_LISTEN", options.listen.clone());
        put("LIFESTREAM_GATEWAY_TOKENS_FILE", options.tokens_file.clone());
    }
    if let Command::Init(options) = &cli.command {
        put("KAFKA_REPLICATION_FACTOR", options.replication_factor.clone());
    }
    for property in &global.properties {
        let Some((name, value)) = property.split_once('=') else {
            bail!("-X {property}: name=value is expected, such as -X linger.ms=5")
        };
        put(&format!("{PROPERTY_PREFIX}{}", name.trim()), Some(value.to_owned()));
    }
    Ok(flags)
}
