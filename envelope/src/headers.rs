//! Kafka record headers.

/// Marks a record of the bridge that stands for no event; its value is the bridge's epoch as text. Such a record has
/// no key, and consumers only step over it.
pub const MARKER: &str = "lifestream_marker";

/// Of such a record: which database wrote it, as text for people.
pub const DATABASE: &str = "lifestream_database";

/// When a replay sent this record, in RFC 3339; the bridge's own records have no such header.
pub const REPLAYED_AT: &str = "lifestream_replayed_at";

/// The event's type.
pub const EVENT_TYPE: &str = "event_type";
/// Who emitted it.
pub const SOURCE: &str = "source";
/// The event's id: what consumers dedupe by.
pub const EVENT_ID: &str = "event_id";
/// What belongs together.
pub const CORRELATION_ID: &str = "correlation_id";
/// W3C trace context of the emitter.
pub const TRACEPARENT: &str = "traceparent";

/// CloudEvents 1.0, binary content mode of the Kafka protocol binding.
pub const CE_SPECVERSION: &str = "ce_specversion";
/// CloudEvents `id`: the event's id.
pub const CE_ID: &str = "ce_id";
/// CloudEvents `type`: the event's type.
pub const CE_TYPE: &str = "ce_type";
/// CloudEvents `source`: the event's source as a URI-reference, see [`crate::event::ce_source`].
pub const CE_SOURCE: &str = "ce_source";
/// CloudEvents `time`: when it occurred.
pub const CE_TIME: &str = "ce_time";
/// CloudEvents `subject`: the event's `subject_id`.
pub const CE_SUBJECT: &str = "ce_subject";
/// Media type of the value.
pub const CONTENT_TYPE: &str = "content-type";

/// Of a work message: its type, which names its topic as well.
pub const WORK_TYPE: &str = "work_type";
/// Of a work message: its id.
pub const WORK_ID: &str = "work_id";
/// Of a work message: the attempt, from 1.
pub const ATTEMPT: &str = "attempt";
