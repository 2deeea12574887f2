//! The event as it stands in Kafka.

mod parsed;
mod row;
mod source;
mod timestamp;

pub use parsed::{Event, EventError};
pub use row::EventRow;
pub use source::ce_source;
pub use timestamp::{Rfc3339, rfc3339};
