//! What the tests across parts stand on: throw-away servers, the built program, readers of Kafka, and the oracle.
//!
//! ```no_run
//! use std::time::Duration;
//! use lifestream_tests::{Kafka, Pipeline, Postgres, eventually};
//!
//! let pipeline = Pipeline::new("bridge_drains", Postgres::shared(), Kafka::shared());
//! pipeline.run(&["init"]);
//! let bridge = pipeline.spawn(&["bridge"]);
//! pipeline.database.psql("SELECT lifestream.emit_event('note.created', 'note', 'n-1', '{}')");
//! eventually(Duration::from_secs(10), "the event is on the topic", || !pipeline.events().is_empty());
//! assert_eq!(bridge.terminate().code(), Some(0));
//! ```
//!
//! Servers, programs and their files are gone when the test program ends, however it ends: see [`guard`] and [`spawner`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a harness for tests: what fails in it fails the test, with its own words"
)]

pub mod checkout;
pub mod guard;
pub mod load;
pub mod oracle;
pub mod spawner;

mod dice;
mod disk;
mod eventually;
mod kafka;
mod pipeline;
mod postgres;
mod program;
mod proxy;
mod running;
mod topic;
pub mod work;

pub use dice::Dice;
pub use disk::Disk;
pub use eventually::{eventually, eventually_async};
pub use kafka::{Kafka, KafkaOptions, free_port};
pub use pipeline::Pipeline;
pub use postgres::{Database, Postgres, PostgresOptions, extension_library};
pub use program::{Finished, Program, binary, site_binary};
pub use proxy::Proxy;
pub use running::Running;
pub use topic::{Record, read_topic};
