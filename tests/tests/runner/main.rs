//! The agents' runner against a real Kafka and a real PostgreSQL, with agents that do what their work says.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod bench;
mod circuits;
mod failures;
mod members;
mod order;
mod put_off;
