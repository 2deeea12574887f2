//! Everything that may go wrong, one file each, under load and with the oracle; all of them together for a long time in `chaos.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod crash_points;
mod site;
mod stage;
