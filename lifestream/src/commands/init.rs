//! `lifestream init`: every topic is there.

use std::collections::BTreeMap;

use lifestream_envelope::kafka::{Created, Kafka, KafkaError, TopicState};
use lifestream_envelope::settings::Settings;
use lifestream_envelope::topics::{TOPICS, TopicSpec};

use crate::cli::InitOptions;
use crate::database;
use crate::exit::Outcome;
use crate::output;

/// Creates what is missing and reports what differs; nothing that exists is altered.
pub async fn run(settings: &Settings, options: &InitOptions) -> anyhow::Result<Outcome> {
    let kafka = database::kafka(settings).await?;
    let existing = kafka.topics().await?;
    let mut look = false;
    for spec in TOPICS {
        let name = kafka.topic(spec.name);
        let state = match existing.get(&name) {
            Some(state) => state,
            None if options.check => {
                look = true;
                output::line(format!("{name}: missing"))?;
                continue;
            }
            None => match kafka.create_topic(spec).await? {
                Created::Yes => {
                    output::line(format!(
                        "{name}: created, {} {}",
                        spec.partitions,
                        if spec.partitions == 1 { "partition" } else { "partitions" }
                    ))?;
                    continue;
                }
                // Somebody else was faster: it may differ.
                Created::Existed => &at_last(&kafka, &name).await?,
            },
        };
        let drift = drift(&kafka, settings, spec, state).await?;
        if drift.is_empty() {
            output::line(format!("{name}: as it should be"))?;
        }
        for line in &drift {
            look = true;
            output::line(format!("{name}: {line}"))?;
        }
    }
    if look && !options.check {
        output::line(
            "Nothing that exists is altered here: kafka-configs.sh and kafka-topics.sh do that. More partitions move keys: stop all parts first.",
        )?;
    }
    Ok(if look && options.check { Outcome::Look } else { Outcome::Done })
}

/// How a topic differs from what it should be.
pub async fn drift(
    kafka: &Kafka,
    settings: &Settings,
    spec: &TopicSpec,
    state: &TopicState,
) -> Result<Vec<String>, KafkaError> {
    let state = TopicState { config: kafka.topic_config(&state.name).await?, ..state.clone() };
    Ok(state.drift(spec, settings.kafka.replication_factor))
}

async fn at_last(kafka: &Kafka, name: &str) -> Result<TopicState, KafkaError> {
    let mut topics: BTreeMap<String, TopicState> = kafka.topics().await?;
    Ok(topics.remove(name).unwrap_or(TopicState {
        name: name.to_owned(),
        partitions: 0,
        replicas: 0,
        config: BTreeMap::new(),
    }))
}
