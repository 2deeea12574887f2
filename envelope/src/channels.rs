//! PostgreSQL notification channels.

/// An emitting transaction notifies here, with an empty payload.
pub const EMITTED: &str = "lifestream_emitted";
