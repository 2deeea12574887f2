//! What one run of the materializer may choose.

/// How a member of the materializer's group works.
#[derive(Debug, Clone)]
pub struct Options {
    /// Consumer group, before the prefix is put to it. Another group applies everything that is retained anew.
    pub group: String,
    /// Most records in one transaction.
    pub batch_records: usize,
    /// Most bytes of record values in one transaction; one larger record makes a batch of its own.
    pub batch_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { group: lifestream_envelope::groups::MATERIALIZER.to_owned(), batch_records: 4_000, batch_bytes: 8 << 20 }
    }
}
