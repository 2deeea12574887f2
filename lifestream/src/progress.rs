//! How far a chore has come through the events: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is printed where there is no terminal.
const LINES: Duration = Duration::from_secs(10);

/// Goes by the numbers of events.
pub struct EventProgress {
    bar: ProgressBar,
    first: i64,
    last: i64,
    /// When the last line was printed, where lines are.
    line: Option<Instant>,
    what: &'static str,
}

impl EventProgress {
    /// From the first number to the last. `what` is done with the events.
    pub fn new(what: &'static str, first: i64, last: i64) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = if is_terminal { ProgressBar::new(between(first, last)) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent} %, {msg}, {eta} left") {
            bar.set_style(style);
        }
        if is_terminal {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Self { bar, first, last, line: (!is_terminal).then(Instant::now), what }
    }

    /// The last number, if it is known only now.
    pub fn until(&mut self, last: i64) {
        self.last = last;
    }

    /// So many events are done, up to this number.
    pub fn reached(&mut self, events: u64, seq: i64) {
        self.last = self.last.max(seq);
        self.bar.set_length(between(self.first, self.last));
        self.bar.set_position(between(self.first, seq));
        self.bar.set_message(format!("{events} events {}", self.what));
        if self.line.is_some_and(|printed| printed.elapsed() >= LINES) {
            self.line = Some(Instant::now());
            eprintln!("{events} events {}, up to seq {seq} of {}", self.what, self.last);
        }
    }

    /// Something else is done now.
    pub fn say(&self, message: &'static str) {
        self.bar.set_message(message);
        if self.line.is_some() {
            eprintln!("{message}");
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn between(first: i64, last: i64) -> u64 {
    last.saturating_sub(first).max(0).cast_unsigned()
}
