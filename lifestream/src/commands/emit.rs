//! `lifestream emit`: one event.

use std::io::Read;

use anyhow::{Context, bail};
use lifestream_envelope::settings::Settings;
use uuid::Uuid;

use crate::cli::EmitOptions;
use crate::database;
use crate::exit::Outcome;
use crate::output;

/// Emits it and prints its id.
pub async fn run(settings: &Settings, options: EmitOptions) -> anyhow::Result<Outcome> {
    let payload = match options.payload.as_str() {
        "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("reading the payload from stdin")?;
            text
        }
        given => given.to_owned(),
    };
    let headers = headers(&options.headers)?;
    let session = database::connect(settings, "emit").await?;
    // Arguments that are null count as not given.
    let row = session
        .client
        .query_one(
            "SELECT lifestream.emit_event($1, $2, $3, $4::text::jsonb, source => $5, occurred_at => $6::text::timestamptz, id => $7, \
                 correlation_id => $8, causation_id => $9, tenant_id => $10, schema_version => $11, headers => $12::text::jsonb, \
                 expected_version => $13)",
            &[
                &options.event_type,
                &options.subject,
                &options.subject_id,
                &payload,
                &options.source,
                &options.occurred_at,
                &options.id,
                &options.correlation_id,
                &options.causation_id,
                &options.tenant_id,
                &options.schema_version,
                &headers,
                &options.expected_version,
            ],
        )
        .await?;
    output::line(row.try_get::<_, Uuid>(0)?)?;
    Ok(Outcome::Done)
}

fn headers(given: &[String]) -> anyhow::Result<Option<String>> {
    if given.is_empty() {
        return Ok(None);
    }
    let mut map = serde_json::Map::new();
    for header in given {
        let Some((name, value)) = header.split_once('=') else { bail!("--header {header}: name=value is expected") };
        if map.insert(name.to_owned(), value.into()).is_some() {
            bail!("--header {name} is given twice");
        }
    }
    Ok(Some(serde_json::to_string(&map)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::headers;

    #[test]
    fn headers_are_name_and_value() {
        let given = |list: &[&str]| headers(&list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        assert_eq!(given(&["a=b=c", "d="]).unwrap().unwrap(), r#"{"a":"b=c","d":""}"#);
        assert!(given(&[]).unwrap().is_none());
        assert!(given(&["a"]).is_err() && given(&["a=1", "a=2"]).is_err());
    }
}
