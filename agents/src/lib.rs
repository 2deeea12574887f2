//! What consumes `events.raw` and the work topics: the materializer, which derives state.

pub mod materializer;
