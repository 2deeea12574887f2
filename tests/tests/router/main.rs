//! The router against a real Kafka and a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bench;
mod guards;
mod killed;
mod letters;
mod members;
mod outages;
mod refusals;
mod retries;
mod routing;
mod speed;
mod tags;
mod troubles;
mod up;
