//! Asking before something is done.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::bail;

/// Asks on the terminal; anything but yes is no.
///
/// # Errors
/// Where there is no terminal to ask on: nothing is done then without `--yes`.
pub fn ask(command: &str, question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("{command} asks before it does anything; --yes does without");
    }
    eprint!("{question}\nGo on? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
