//! A web site that ships with the project, so that the demonstration has real pages to fetch: a dozen articles, some fifty
//! short pages, and one of each kind that goes wrong. It also shows the site that the publisher writes.
//!
//! One server answers for every host below `demo.localhost`; which site is meant, the `Host` header says.

mod latin1;
mod library;
mod mishaps;
mod page;
mod pdf;
mod picture;
mod published;
mod render;
mod server;
mod sites;

pub use library::Library;
pub use page::Page;
pub use server::{Options, serve, site};
pub use sites::{SITES, Site};
