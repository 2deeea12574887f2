//! What `doctor` looks at in Kafka.

use std::collections::BTreeSet;

use lifestream_envelope::kafka::{Kafka, KafkaError};
use lifestream_envelope::settings::Settings;
use lifestream_envelope::topics::{TOPICS, WORK_PREFIX};

use super::Check;
use crate::commands::init;

/// Reachable, and every topic as it should be, those of routes (`work_types`) among them.
pub async fn check(settings: &Settings, work_types: &[String], checks: &mut Vec<Check>) {
    const NAME: &str = "Kafka";
    let kafka = match reach(settings).await {
        Ok(kafka) => kafka,
        Err(error) => {
            checks.push(Check::wrong(
                NAME,
                error.to_string(),
                "set what the message names; `lifestream topics -vv` shows all that librdkafka says",
            ));
            return;
        }
    };
    checks.push(Check::ok(NAME, format!("answers at {}", kafka.brokers())));
    match topics(settings, work_types, &kafka).await {
        Ok(found) => checks.extend(found),
        Err(error) => checks.push(Check::wrong(
            "topics",
            error.to_string(),
            "grant this user to describe topics and their settings",
        )),
    }
}

async fn reach(settings: &Settings) -> Result<Kafka, KafkaError> {
    let kafka = Kafka::new(&settings.kafka)?;
    kafka.ping().await?;
    Ok(kafka)
}

async fn topics(settings: &Settings, work_types: &[String], kafka: &Kafka) -> Result<Vec<Check>, KafkaError> {
    let existing = kafka.topics().await?;
    let mut checks = Vec::new();
    for spec in TOPICS {
        let name = kafka.topic(spec.name);
        let Some(state) = existing.get(&name) else {
            checks.push(Check::wrong("topics", format!("{name} is missing"), "lifestream init"));
            continue;
        };
        for line in init::drift(kafka, settings, spec, state).await? {
            let fix = "kafka-configs.sh --alter puts settings right; more partitions (kafka-topics.sh --alter) move keys: stop all parts first";
            checks.push(Check::note("topics", format!("{name} {line}"), fix));
        }
    }
    let ours: BTreeSet<String> = TOPICS.iter().map(|spec| spec.name.to_owned()).collect();
    let of_routes: BTreeSet<String> = work_types.iter().map(|work_type| format!("{WORK_PREFIX}{work_type}")).collect();
    for name in of_routes.difference(&ours).map(|name| kafka.topic(name)).filter(|name| !existing.contains_key(name)) {
        checks.push(Check::note(
            "topics",
            format!("{name} is missing, and a route makes work for it"),
            "lifestream router, or lifestream up, creates it; if it runs, its log says why it could not",
        ));
    }
    if checks.is_empty() {
        checks.push(Check::ok("topics", "all there, as they should be"));
    }
    Ok(checks)
}
