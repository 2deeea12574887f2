//! The reference page of the settings, made from their table: `docs/settings.md` holds exactly this.

use std::fmt::Write;

use super::keys::{KEYS, Section};

const HEAD: &str = "\
# Settings

<!-- Made from the table in envelope/src/settings/keys.rs: `UPDATE_DOCS=1 cargo test -p lifestream-envelope page` writes it. -->

A flag counts before the environment, the environment before `.env` in the working directory, that before a TOML file, that
before the default. The TOML file is `lifestream.toml` in the working directory, or the one that `--config` or
`LIFESTREAM_CONFIG` names; its keys are the names below in lower case, on the top level:

    database_url   = \"postgres://lifestream@localhost/app\"
    kafka_brokers  = [\"kafka-1:9092\", \"kafka-2:9092\"]
    kafka_property_linger_ms = 5

- An empty value counts as none.
- A secret (marked *) can come from a file: `KAFKA_SASL_PASSWORD_FILE=/run/secrets/kafka`. Giving both is an error.
- An unknown `LIFESTREAM_…` name, an unknown key in the TOML file and settings that contradict each other are refused by name.
- Times have a unit: `500ms`, `5s`, `10m`, `1h`.
- Every long-running process prints at its start what it runs with and where each value came from, secrets masked;
  `lifestream doctor` does so too.
";

const TAIL: &str = "
## librdkafka's own settings

`KAFKA_PROPERTY_<name>` passes any property of librdkafka through, its dots written as underscores:
`KAFKA_PROPERTY_LINGER_MS=5`, `KAFKA_PROPERTY_QUEUE_BUFFERING_MAX_KBYTES=65536`; on the command line `-X linger.ms=5`. A name that librdkafka does not
know is an error. Properties that would undo a guarantee are refused by name: acknowledgements, idempotence, requests in flight,
automatic commits, offset reset, isolation, partitioner, message timeout, transactions, certificate verification; and those that a setting
above stands for: brokers, client and group ids, compression, security protocol, SASL.
";

/// The page, in Markdown.
fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for section in Section::ALL {
        // Writing to a String cannot fail.
        let _ =
            write!(page, "\n## {}\n\n| variable | meaning | value | default |\n|---|---|---|---|\n", section.title());
        for key in KEYS.iter().filter(|key| key.section == section) {
            let default = match key.default {
                None => "–".to_owned(),
                Some("") => "empty".to_owned(),
                Some(text) => format!("`{text}`"),
            };
            let star = if key.secret { " *" } else { "" };
            let _ = writeln!(page, "| `{}`{star} | {} | {} | {default} |", key.name, key.help, key.kind.expects());
        }
    }
    page + TAIL
}

#[cfg(test)]
mod tests {
    #[test]
    #[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    fn the_page_in_docs_is_the_one_made_from_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, super::markdown()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == super::markdown(),
            "docs/settings.md differs: run `UPDATE_DOCS=1 cargo test -p lifestream-envelope page`"
        );
    }
}
