//! The catalog of known tags, on the compacted topic `tags.catalog`.
