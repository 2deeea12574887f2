//! PostgreSQL notification channels.

/// An emitting transaction notifies here, with an empty payload.
pub const EMITTED: &str = "lifestream_emitted";

/// Somebody decided about something parked, or it has been let go; with an empty payload.
pub const PARKED: &str = "lifestream_parked";
