//! `lifestream tail`: events as they arrive in Kafka.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use lifestream_envelope::event::Event;
use lifestream_envelope::kafka::{Kafka, Watch};
use lifestream_envelope::settings::Settings;
use lifestream_envelope::{headers, topics};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use crate::cli::TailOptions;
use crate::database;
use crate::exit::Outcome;
use crate::output;

/// A record as `--json` prints it.
#[derive(Serialize)]
struct Printed<'a> {
    partition: i32,
    offset: i64,
    key: Option<String>,
    headers: BTreeMap<String, String>,
    value: &'a RawValue,
}

/// Prints until it is told to stop, or until the end where that is asked for.
pub async fn run(settings: &Settings, options: TailOptions, shutdown: &CancellationToken) -> anyhow::Result<Outcome> {
    let kafka = database::kafka(settings).await?;
    let topic = kafka.topic(topics::EVENTS_RAW);
    let Some(info) = kafka.describe_topic(&topic).await? else {
        bail!("topic {topic} does not exist: run `lifestream init` (KAFKA_BROKERS and KAFKA_TOPIC_PREFIX say where)");
    };
    let offsets = kafka.offsets(&topic, info.partitions).await?;
    let shutdown = shutdown.clone();
    tokio::task::spawn_blocking(move || follow(&kafka, &topic, &offsets, &options, &shutdown)).await?
}

fn follow(
    kafka: &Kafka,
    topic: &str,
    offsets: &[(i64, i64)],
    options: &TailOptions,
    shutdown: &CancellationToken,
) -> anyhow::Result<Outcome> {
    // The group only satisfies librdkafka: partitions are assigned by hand and nothing is committed.
    let consumer: BaseConsumer<Watch> = kafka.consumer_config("tail").create_with_context(Watch::default())?;
    let mut assignment = TopicPartitionList::new();
    let mut open = 0;
    for (partition, (low, high)) in (0..).zip(offsets) {
        let from = if options.from_beginning { *low } else { *high };
        if !options.no_follow || from < *high {
            assignment.add_partition_offset(topic, partition, Offset::Offset(from))?;
            open += 1;
        }
    }
    let mut left = options.count.unwrap_or(u64::MAX);
    if open == 0 || left == 0 {
        return Ok(Outcome::Done);
    }
    consumer.assign(&assignment).context("reading events.raw")?;
    while !shutdown.is_cancelled() {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = match message {
            Ok(message) => message,
            // librdkafka goes on by itself once the broker is back.
            Err(error) => {
                tracing::debug!(%error, "tail");
                continue;
            }
        };
        let end = offsets.get(usize::try_from(message.partition())?).map_or(0, |(_, high)| *high);
        if options.no_follow && message.offset() >= end {
            continue;
        }
        if show(&message, options)? {
            left -= 1;
        }
        if options.no_follow && message.offset() + 1 >= end {
            open -= 1;
        }
        if left == 0 || (options.no_follow && open == 0) {
            return Ok(Outcome::Done);
        }
    }
    Ok(Outcome::Done)
}

/// Prints a record if it is an event that is asked for.
fn show(message: &BorrowedMessage<'_>, options: &TailOptions) -> anyhow::Result<bool> {
    let headers: BTreeMap<String, String> = message
        .headers()
        .into_iter()
        .flat_map(|list| {
            list.iter()
                .map(|h| (h.key.to_owned(), String::from_utf8_lossy(h.value.unwrap_or_default()).into_owned()))
                .collect::<Vec<_>>()
        })
        .collect();
    if headers.contains_key(headers::MARKER) {
        return Ok(false);
    }
    let value = message.payload().unwrap_or_default();
    let event = match Event::parse(value) {
        Ok(event) => event,
        Err(error) => {
            eprintln!("partition {} offset {}: {error}", message.partition(), message.offset());
            return Ok(false);
        }
    };
    if !wanted(&event, options) {
        return Ok(false);
    }
    if options.json {
        let printed = Printed {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(|key| String::from_utf8_lossy(key).into_owned()),
            headers,
            value: serde_json::from_slice(value)?,
        };
        output::line(serde_json::to_string(&printed)?)?;
    } else {
        let when = event.occurred_at;
        output::line(format!(
            "{when:.3}  {}  {} {}  {}",
            event.event_type,
            event.subject,
            event.subject_id,
            event.payload.get()
        ))?;
    }
    Ok(true)
}

fn wanted(event: &Event, options: &TailOptions) -> bool {
    let of_type = |pattern: &String| {
        pattern.strip_suffix('*').map_or(*pattern == event.event_type, |start| event.event_type.starts_with(start))
    };
    (options.event_types.is_empty() || options.event_types.iter().any(of_type))
        && options.subject.as_ref().is_none_or(|subject| *subject == event.subject)
        && options.subject_id.as_ref().is_none_or(|id| *id == event.subject_id)
}
