//! What consumes `events.raw` and the work topics: the router turns facts into tasks, agents do the tasks and emit new
//! facts, the materializer derives state.

pub mod catalog;
pub mod consumer;
pub mod enricher;
pub mod fetcher;
pub mod materializer;
pub mod producer;
pub mod publisher;
pub mod router;
pub mod runner;

mod claim;
mod database;
mod error;
mod invisible;
mod retry_after;

pub use database::Database;
pub use error::AgentError;
