//! A bar by bytes, on a terminal only.

use std::io::{IsTerminal, Read};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How far the input is read.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Hidden unless stderr is a terminal.
    pub fn new(size: Option<u64>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden() };
        }
        let (bar, template) = match size {
            Some(size) => (ProgressBar::new(size), "{bar:40} {bytes} of {total_bytes}, {msg}, {eta} left"),
            None => (ProgressBar::new_spinner(), "{spinner} {bytes}, {msg}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    /// Counts what is read from it.
    pub fn watch(&self, input: Box<dyn Read + Send>) -> impl Read + Send + use<> {
        self.bar.wrap_read(input)
    }

    /// How many events are settled.
    pub fn settled(&self, events: u64) {
        self.bar.set_message(format!("{events} events"));
    }

    /// A line on stderr that leaves the bar in one piece.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
