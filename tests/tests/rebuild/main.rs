//! `lifestream rebuild`: the state made anew from the events, against the real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod gate;
mod house;
mod killed;
mod load;
mod lost;
mod meanwhile;
mod parked;
mod refusals;
mod repair;
mod roles;
mod same;
mod tables;
