//! How much a fetch may cost.

use std::time::Duration;

/// How much a fetch may cost. Tests take smaller ones.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Finding a name's addresses.
    pub resolve: Duration,
    /// Until a connection stands, with TLS.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// One request with its whole answer.
    pub exchange: Duration,
    /// All requests for one page together; below the agent's deadline, so that the error says more.
    pub whole: Duration,
    /// Redirects of a page, as many as browsers bear with patience.
    pub redirects: usize,
    /// Bytes of a page, decompressed.
    pub body: usize,
    /// Bytes of a robots.txt that are read (RFC 9309: at least 500 KiB).
    pub robots: usize,
    /// Understanding a page, until its plain text has to do.
    pub parse: Duration,
    /// Bytes of text that are kept: an event may have 900 kB, and a text of quotes and backslashes doubles as JSON.
    pub text: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            resolve: Duration::from_secs(10),
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(15),
            exchange: Duration::from_secs(45),
            whole: Duration::from_secs(90),
            redirects: 10,
            body: 8 * 1024 * 1024,
            robots: 500 * 1024,
            parse: Duration::from_secs(15),
            text: 400_000,
        }
    }
}
