//! The materializer against a real Kafka and a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bench;
mod exactly_once;
mod json;
mod outages;
mod parking;
mod projections;
mod release;
mod roles;
mod topic;
