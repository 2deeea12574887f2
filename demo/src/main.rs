//! The demo site's server.
fn main() {}
