//! Says once that something is away, and once that it is back.

use std::fmt::Display;
use std::time::Instant;

/// What a part could not do for a while. The same trouble is logged once, as a warning; further tries only at debug
/// level; the end of it once, with how long it took.
#[derive(Debug)]
pub struct Outage {
    part: &'static str,
    since: Option<(Instant, String)>,
}

impl Outage {
    /// `part` is named in the log lines.
    pub fn new(part: &'static str) -> Self {
        Self { part, since: None }
    }

    /// It failed. Another reason than the last one is worth another line.
    pub fn down(&mut self, error: &dyn Display) {
        let reason = error.to_string();
        match &mut self.since {
            None => {
                tracing::warn!("{}: {reason}; trying again until it works", self.part);
                self.since = Some((Instant::now(), reason));
            }
            Some((_, known)) if *known != reason => {
                tracing::warn!("{}: {reason}; still trying", self.part);
                *known = reason;
            }
            Some(_) => tracing::debug!("{}: {reason}", self.part),
        }
    }

    /// It works.
    pub fn over(&mut self) {
        if let Some((since, _)) = self.since.take() {
            tracing::info!("{}: works again, after {:.1?}", self.part, since.elapsed());
        }
    }

    /// Whether it is down.
    pub fn is_down(&self) -> bool {
        self.since.is_some()
    }
}
