//! The demo site.
