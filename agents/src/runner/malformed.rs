//! A record that is no work message: it is told as a dead letter, so that a person sees it.

use jiff::Timestamp;
use lifestream_envelope::work::Work;
use lifestream_envelope::{ids, topics};
use rdkafka::message::{Message, OwnedMessage};
use serde_json::json;

use super::answer::{Answer, LONGEST_ERROR, shortened};

/// So much of the record's value is told; all of it stays in Kafka until retention takes it.
const LONGEST_RAW: usize = 100_000;
/// The longest name that is told.
const LONGEST_NAME: usize = 200;

/// The work that a record holds.
///
/// # Errors
/// Says why it holds none that belongs here.
pub fn parse(record: &OwnedMessage, work_type: &str) -> Result<Work, String> {
    let value = record.payload().ok_or("not a work message: the record has no value")?;
    let work = Work::parse(value).map_err(|error| error.to_string())?;
    if work.work_type != work_type {
        let found = shortened(&work.work_type, LONGEST_NAME);
        return Err(format!("work_type is {found:?} on the topic {}{work_type}", topics::WORK_PREFIX));
    }
    Ok(work)
}

/// The dead letter for it; `topic` is the topic's name without prefix, as ids are derived from it.
///
/// Its subject is the record, not the one that the record's key may name: nobody knows whose that is, and nothing shall be
/// held up behind it.
pub fn answer(group: &str, topic: &str, (partition, offset): (i32, i64), raw: &[u8], error: &str) -> Answer {
    let payload = json!({
        "work_message": {
            "raw": shortened(&String::from_utf8_lossy(raw), LONGEST_RAW),
            "topic": topic,
            "partition": partition,
            "offset": offset,
        },
        "error": shortened(error, LONGEST_ERROR),
        "agent": group,
        "failed_at": Timestamp::now().to_string(),
    });
    Answer {
        id: ids::malformed_id(group, topic, partition, offset),
        event_type: "work.dead_lettered".to_owned(),
        subject: "work".to_owned(),
        subject_id: shortened(&format!("record:{topic}/{partition}/{offset}"), LONGEST_NAME),
        tenant_id: String::new(),
        payload: payload.to_string(),
        correlation_id: None,
        causation_id: None,
        traceparent: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use rdkafka::Timestamp as Written;
    use serde_json::Value;

    use super::*;

    fn record(value: Option<&[u8]>) -> OwnedMessage {
        OwnedMessage::new(value.map(<[u8]>::to_vec), None, "p.work.x".to_owned(), Written::NotAvailable, 2, 7, None)
    }

    #[test]
    fn every_record_that_holds_no_work_is_told_with_what_it_holds() {
        let whole = br#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","subject_id":"s","work_type":"y",
            "correlation_id":null,"triggered_by_event_id":"01890a5d-ac96-774b-bcce-b302099a8058","attempt":1,
            "max_attempts":3,"created_at":"2026-01-01T00:00:00Z","not_before":null,"last_error":null,"payload":{}}"#;
        assert!(parse(&record(Some(whole)), "y").is_ok());
        for (value, expected) in [
            (None, "has no value"),
            (Some(&b""[..]), "not a work message"),
            (Some(b"\xff\x00{"), "not a work message"),
            (Some(&whole[..]), "work_type is \"y\" on the topic work.x"),
        ] {
            let error = parse(&record(value), "x").map(|_| ()).unwrap_err();
            assert!(error.contains(expected), "{error}");
            let answer = answer("g", "work.x", (2, 7), value.unwrap_or_default(), &error);
            assert_eq!(
                (answer.id, answer.subject_id.as_str()),
                (ids::malformed_id("g", "work.x", 2, 7), "record:work.x/2/7")
            );
            let told: Value = serde_json::from_str(&answer.payload).unwrap();
            let raw = String::from_utf8_lossy(value.unwrap_or_default()).replace('\0', "\u{fffd}");
            assert_eq!(told["work_message"]["raw"], Value::from(raw));
        }
        let long = answer("g", "work.x", (2, 7), &vec![b'x'; 2_000_000], "too long");
        assert!(long.payload.len() < 110_000);
    }
}
