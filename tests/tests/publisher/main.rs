//! The publisher against a real PostgreSQL: what it writes, when, and what strangers' texts do to it (nothing).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bench;
mod browser;
mod crowd;
mod feeds;
mod hostile;
mod pictures;
mod recovery;
mod running;
mod site;
mod tree;
mod webhook;
