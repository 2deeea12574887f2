//! Data goes to stdout, everything else to stderr.

use std::io::Write;

/// Prints a line of data. Unlike `println!` it does not panic when the reader is gone.
///
/// # Errors
/// A closed pipe, which ends the program without a word.
pub fn line(text: impl std::fmt::Display) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}")?;
    Ok(stdout.flush()?)
}
