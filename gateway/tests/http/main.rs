//! The gateway as its callers meet it: the real program, a real PostgreSQL, HTTP by hand and by curl.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

mod bench;
mod curl;
mod document;
mod idempotency;
mod intake;
mod limits;
mod outages;
mod refusals;
mod save;
mod tokens;
