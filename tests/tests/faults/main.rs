//! Everything that may go wrong, one file each, under load and with the oracle; all of them together for a long time in `chaos.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod broker_loop;
mod chaos;
mod clocks;
mod crash_points;
mod disk_full;
mod fault;
mod kafka_away;
mod kill_9;
mod late_commit;
mod long_transaction;
mod parts;
mod poison;
mod pooler;
mod postgres_restarts;
mod rebalances;
mod site;
mod stage;
mod too_large;
mod two_bridges;
mod wake_ups_lost;
