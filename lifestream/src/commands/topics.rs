//! `lifestream topics`: what is in Kafka.

use std::collections::BTreeSet;

use lifestream_envelope::settings::Settings;
use lifestream_envelope::topics::{TOPICS, WORK_PREFIX};
use serde_json::json;

use crate::database;
use crate::exit::Outcome;
use crate::output;
use crate::table::{or_dash, table};

/// Lists every topic of ours: those that should exist, and those of added work types.
pub async fn run(settings: &Settings, as_json: bool) -> anyhow::Result<Outcome> {
    let kafka = database::kafka(settings).await?;
    let existing = kafka.topics().await?;
    let work = kafka.topic(WORK_PREFIX);
    let ours: Vec<String> = TOPICS.iter().map(|spec| kafka.topic(spec.name)).collect();
    let added: BTreeSet<&String> =
        existing.keys().filter(|name| name.starts_with(&work) && !ours.contains(name)).collect();
    let mut rows = Vec::new();
    for name in ours.iter().chain(added) {
        let offsets = match existing.get(name) {
            Some(state) => Some(kafka.offsets(name, state.partitions).await?),
            None => None,
        };
        rows.push((name, offsets));
    }
    if as_json {
        let list: Vec<_> = rows
            .iter()
            .map(|(name, offsets)| {
                let partitions = offsets
                    .as_ref()
                    .map(|list| list.iter().map(|(low, high)| json!({"low": low, "high": high})).collect::<Vec<_>>());
                json!({"topic": name, "exists": offsets.is_some(), "partitions": partitions})
            })
            .collect();
        output::line(serde_json::to_string_pretty(&list)?)?;
        return Ok(Outcome::Done);
    }
    let rows = rows.iter().map(|(name, offsets)| {
        let records = offsets.as_ref().map(|list| list.iter().map(|(low, high)| high - low).sum::<i64>());
        let ranges = offsets
            .as_ref()
            .map(|list| list.iter().map(|(low, high)| format!("{low}..{high}")).collect::<Vec<_>>().join("  "));
        vec![
            (*name).clone(),
            or_dash(offsets.as_ref().map(Vec::len)),
            or_dash(records),
            ranges.unwrap_or_else(|| "missing: run `lifestream init`".to_owned()),
        ]
    });
    output::line(table(&["TOPIC", "PARTITIONS", "RECORDS", "OFFSETS"], &[1, 2], rows))?;
    Ok(Outcome::Done)
}
