//! A topic's id. librdkafka tells it (KIP-516), the rdkafka crate has no words for it yet, so the C functions are called.

use std::ffi::{CStr, CString};
use std::ptr;
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::TopicInfo;

/// Asks the cluster about one topic; `None` where there is none. Blocks for at most `within`.
pub fn topic<C: ClientContext>(
    client: &Client<C>,
    name: &str,
    within: Duration,
) -> Result<Option<TopicInfo>, KafkaError> {
    let timeout = i32::try_from(within.as_millis()).unwrap_or(i32::MAX).max(1);
    let question = Question::new(client.native_ptr(), name, timeout)?;
    // SAFETY: all pointers are live: the client's by the borrow, the question's until it is dropped.
    unsafe { c::rd_kafka_DescribeTopics(question.client, question.topics, question.options, question.queue) };
    // librdkafka answers after its own time-out; a second more is a net.
    // SAFETY: the queue is live.
    let event = unsafe { c::rd_kafka_queue_poll(question.queue, timeout.saturating_add(1000)) };
    if event.is_null() {
        return Err(KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut));
    }
    let event = Event(event);
    // SAFETY: the event is live.
    check(unsafe { c::rd_kafka_event_error(event.0) })?;
    // SAFETY: the event is live; the result is null for an event of another kind, and lives as long as the event.
    let result = unsafe { c::rd_kafka_event_DescribeTopics_result(event.0) };
    if result.is_null() {
        return Err(KafkaError::AdminOp(RDKafkaErrorCode::BadMessage));
    }
    let mut count = 0;
    // SAFETY: the result is live; it answers with `count` descriptions that live as long as it does.
    let descriptions = unsafe { c::rd_kafka_DescribeTopics_result_topics(result, &mut count) };
    if descriptions.is_null() || count == 0 {
        return Ok(None);
    }
    // SAFETY: there is at least one description.
    let description = unsafe { *descriptions };
    // SAFETY: the description is live; its error may be null, which the code function takes as none.
    let code = unsafe { c::rd_kafka_error_code(c::rd_kafka_TopicDescription_error(description)) };
    if matches!(
        RDKafkaErrorCode::from(code),
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic
    ) {
        return Ok(None);
    }
    check(code)?;
    let mut partitions = 0;
    // SAFETY: the description is live; only the count is used.
    unsafe { c::rd_kafka_TopicDescription_partitions(description, &mut partitions) };
    // SAFETY: the description is live, and so are its id and the text that the id keeps.
    let id = unsafe {
        let id = c::rd_kafka_TopicDescription_topic_id(description);
        let text = if id.is_null() { ptr::null() } else { c::rd_kafka_Uuid_base64str(id) };
        if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
    };
    Ok(Some(TopicInfo { id, partitions: i32::try_from(partitions).unwrap_or(i32::MAX) }))
}

fn check(code: c::rd_kafka_resp_err_t) -> Result<(), KafkaError> {
    match RDKafkaErrorCode::from(code) {
        RDKafkaErrorCode::NoError => Ok(()),
        code => Err(KafkaError::AdminOp(code)),
    }
}

/// What a call needs, given back when it is over.
struct Question {
    client: *mut c::rd_kafka_t,
    topics: *mut c::rd_kafka_TopicCollection_t,
    options: *mut c::rd_kafka_AdminOptions_t,
    queue: *mut c::rd_kafka_queue_t,
}

impl Question {
    fn new(client: *mut c::rd_kafka_t, name: &str, timeout_ms: i32) -> Result<Self, KafkaError> {
        let name = CString::new(name).map_err(KafkaError::Nul)?;
        let mut names = [name.as_ptr()];
        // SAFETY: the client is live; the names are copied; each object is given back in `drop`. No error text is asked
        // for, as a time-out of at least 1 ms is always taken.
        unsafe {
            let topics = c::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
            let options =
                c::rd_kafka_AdminOptions_new(client, c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
            c::rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, ptr::null_mut(), 0);
            Ok(Self { client, topics, options, queue: c::rd_kafka_queue_new(client) })
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        // SAFETY: made in `new`, given back once; librdkafka keeps its own references for an answer under way.
        unsafe {
            c::rd_kafka_queue_destroy(self.queue);
            c::rd_kafka_AdminOptions_destroy(self.options);
            c::rd_kafka_TopicCollection_destroy(self.topics);
        }
    }
}

struct Event(*mut c::rd_kafka_event_t);

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: ours since the queue handed it out.
        unsafe { c::rd_kafka_event_destroy(self.0) };
    }
}
