//! `lifestream replay`: a range of events sent again, to a topic of the user's choice.

use std::sync::Arc;

use anyhow::{Context, bail};
use jiff::Timestamp;
use lifestream_agents::producer::{Outgoing, Producer};
use lifestream_bridge::row;
use lifestream_envelope::event::EventRow;
use lifestream_envelope::kafka::{Created, Kafka};
use lifestream_envelope::settings::Settings;
use lifestream_envelope::topics::{EVENTS_RAW, TOPICS, WORK_PREFIX};
use lifestream_envelope::{failpoint, headers};
use rdkafka::message::Header;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};
use tokio_util::sync::CancellationToken;

use crate::cli::{Bound, ReplayOptions};
use crate::database;
use crate::exit::Outcome;
use crate::output;
use crate::progress::EventProgress;

/// Events that are read from the server in one go.
const FETCH: i32 = 100;
/// Most events that are sent before all of them are acknowledged ...
const RECORDS: usize = 2000;
/// ... and about how many bytes: what exceeds it is one fetch.
const BYTES: usize = 8 << 20;

/// Which events: `$1` and `$2` numbers, the second not included, `$3` and `$4` times likewise, `$5` types as patterns of LIKE.
const WANTED: &str = "\
FROM lifestream.all_events e
WHERE e.seq >= $1 AND e.seq < $2
  AND ($3::timestamptz IS NULL OR e.received_at >= $3) AND ($4::timestamptz IS NULL OR e.received_at < $4)
  AND (cardinality($5::text[]) = 0 OR e.event_type LIKE ANY ($5))
  AND ($6::text IS NULL OR e.subject = $6) AND ($7::text IS NULL OR e.subject_id = $7)
  AND (NOT $8 OR e.published_to_kafka)";

/// A range of events.
struct Range {
    from: i64,
    to: i64,
    received_from: Option<Timestamp>,
    received_to: Option<Timestamp>,
    patterns: Vec<String>,
    subject: Option<String>,
    subject_id: Option<String>,
    /// What goes to `events.raw` again must have been there: the rest is the bridge's to send.
    published: bool,
}

/// How far it came.
#[derive(Default)]
struct Sent {
    events: u64,
    /// The number from which to go on.
    next: i64,
}

/// Counts, or sends.
pub async fn run(
    settings: &Settings,
    options: &ReplayOptions,
    shutdown: &CancellationToken,
) -> anyhow::Result<Outcome> {
    check(&options.topic, options.force)?;
    let mut session = database::connect(settings, "replay").await?;
    let client = &mut session.client;
    // Down the index on seq, no further than is sent, whatever is known of the table.
    client.batch_execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET jit = off; SET statement_timeout = 0").await?;
    let range = Range::of(client, options).await?;
    if options.dry_run {
        return count(client, &range, options).await;
    }
    let kafka = database::kafka(settings).await?;
    if kafka.create_replay_topic(&options.topic).await? == Created::Yes {
        eprintln!("topic {}: created", kafka.topic(&options.topic));
    }
    let mut sent = Sent { events: 0, next: range.from };
    let done = send(client, &kafka, &options.topic, &range, shutdown, &mut sent).await;
    let to = kafka.topic(&options.topic);
    output::line(format!("{} events sent to {to}", sent.events))?;
    match done {
        Ok(true) => Ok(Outcome::Done),
        Ok(false) => {
            eprintln!("interrupted: `--from {}` goes on (with the same --to and conditions)", sent.next);
            Ok(Outcome::Interrupted)
        }
        Err(error) => {
            Err(error
                .context(format!("not all was acknowledged; `--from {}` goes on, and may send some twice", sent.next)))
        }
    }
}

/// Topics that others read orders from, or state, are none to be replayed to.
fn check(topic: &str, force: bool) -> anyhow::Result<()> {
    if topic == EVENTS_RAW && !force {
        bail!(
            "{EVENTS_RAW} is where every consumer reads: those of your own would see these events again (the header event_id tells, \
             and {}); --force does it",
            headers::REPLAYED_AT
        );
    }
    if topic != EVENTS_RAW && (topic.starts_with(WORK_PREFIX) || TOPICS.iter().any(|spec| spec.name == topic)) {
        bail!("topic {topic} holds no events: choose another one");
    }
    Ok(())
}

impl Range {
    async fn of(client: &Client, options: &ReplayOptions) -> anyhow::Result<Self> {
        // What comes from now on is not part of it: else it might never end.
        let last = client.query_opt("SELECT seq FROM lifestream.all_events ORDER BY seq DESC LIMIT 1", &[]).await?;
        let end = last.map(|row| row.try_get::<_, i64>(0)).transpose()?.map_or(1, |seq| seq + 1);
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let pattern = |text: &String| match text.strip_suffix('*') {
            Some(start) => format!("{}%", escaped(start)),
            None => escaped(text),
        };
        let mut range = Self {
            from: 0,
            to: end,
            received_from: None,
            received_to: None,
            patterns: options.event_types.iter().map(pattern).collect(),
            subject: options.subject.clone(),
            subject_id: options.subject_id.clone(),
            published: options.topic == EVENTS_RAW,
        };
        match options.from {
            Some(Bound::Seq(seq)) => range.from = seq,
            Some(Bound::Received(time)) => range.received_from = Some(time),
            None => {}
        }
        match options.to {
            Some(Bound::Seq(seq)) => range.to = seq.min(end),
            Some(Bound::Received(time)) => range.received_to = Some(time),
            None => {}
        }
        Ok(range)
    }

    fn parameters<'a>(&'a self, from: &'a i64) -> [&'a (dyn ToSql + Sync); 8] {
        [
            from,
            &self.to,
            &self.received_from,
            &self.received_to,
            &self.patterns,
            &self.subject,
            &self.subject_id,
            &self.published,
        ]
    }
}

async fn count(client: &Client, range: &Range, options: &ReplayOptions) -> anyhow::Result<Outcome> {
    let sql = format!("SELECT count(*), min(e.seq), max(e.seq), min(e.received_at), max(e.received_at) {WANTED}");
    let row = client.query_one(&sql, &range.parameters(&range.from)).await?;
    let events: i64 = row.try_get(0)?;
    output::line(format!("{events} events would be sent to {}", options.topic))?;
    if events > 0 {
        let (first, last): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
        let (since, until): (Timestamp, Timestamp) = (row.try_get(3)?, row.try_get(4)?);
        eprintln!("seq {first} to {last}, received from {since} to {until}");
    }
    Ok(Outcome::Done)
}

/// Sends batch after batch, each once the one before it is acknowledged; says whether it came to the end.
async fn send(
    client: &mut Client,
    kafka: &Kafka,
    topic: &str,
    range: &Range,
    shutdown: &CancellationToken,
    sent: &mut Sent,
) -> anyhow::Result<bool> {
    let producer = Producer::new(kafka)?;
    let topic: Arc<str> = kafka.topic(topic).into();
    let sql = format!("SELECT {} {WANTED} ORDER BY e.seq", row::COLUMNS);
    let statement = client.prepare(&sql).await?;
    let mut progress = EventProgress::new("sent", range.from, range.to);
    loop {
        if shutdown.is_cancelled() {
            progress.end();
            return Ok(false);
        }
        // A cursor, which is left where there is enough; the transaction is short, so that it holds back no vacuum.
        let transaction = client.transaction().await?;
        let portal = transaction.bind(&statement, &range.parameters(&sent.next)).await?;
        let (mut batch, mut bytes, mut last) = (Vec::new(), 0, None);
        while bytes < BYTES && batch.len() < RECORDS {
            let rows = transaction.query_portal(&portal, FETCH).await?;
            for row in &rows {
                let (seq, message) = outgoing(row, &topic)?;
                bytes += row::bytes(row);
                last = Some(seq);
                batch.push(message);
            }
            if rows.len() < usize::try_from(FETCH)? {
                break;
            }
        }
        transaction.commit().await?;
        let Some(last) = last else {
            progress.end();
            return Ok(true);
        };
        let refused = producer.send(&batch).await.all()?;
        if let Some(refusal) = refused.first() {
            let key = batch.get(refusal.number).map_or("", |message| message.key.as_str());
            bail!(
                "Kafka refuses {} of {} events, the first of subject {key:?}: {}",
                refused.len(),
                batch.len(),
                refusal.reason
            );
        }
        sent.events += batch.len() as u64;
        sent.next = last + 1;
        progress.reached(sent.events, last);
        failpoint!("replay.acknowledged");
    }
}

/// A row as the bridge would send it, and that it is a repeat.
fn outgoing(row: &Row, topic: &Arc<str>) -> anyhow::Result<(i64, Outgoing)> {
    let event: EventRow<'_> = row::event(row).context("a row of lifestream.all_events")?;
    let mut value = Vec::new();
    event.write_value(&mut value);
    let now = Timestamp::now().to_string();
    let headers = event.kafka_headers().insert(Header { key: headers::REPLAYED_AT, value: Some(&now) });
    Ok((
        event.seq,
        Outgoing { topic: Arc::clone(topic), key: event.subject_id.to_owned(), value: Some(value), headers },
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::check;

    #[test]
    fn a_topic_of_ones_own() {
        assert!(check("replay.mine", false).is_ok());
        assert!(check("events.raw", false).unwrap_err().to_string().contains("--force"));
        assert!(check("events.raw", true).is_ok());
        for topic in ["work.fetch_link", "work.anything", "tags.catalog"] {
            assert!(check(topic, true).unwrap_err().to_string().contains("holds no events"), "{topic}");
        }
    }
}
