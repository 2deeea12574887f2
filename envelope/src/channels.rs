//! PostgreSQL notification channels.

/// An emitting transaction notifies here, with an empty payload.
pub const EMITTED: &str = "lifestream_emitted";
/// A route has been added, changed or dropped.
pub const ROUTES: &str = "lifestream_routes";
