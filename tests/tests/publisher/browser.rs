//! A real browser, without a window.

use std::path::Path;
use std::process::{Command, Stdio};

/// The document as the browser has it once it is loaded, as text. What the browser complains of (the console) comes second.
pub fn dump(page: &Path) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--enable-logging=stderr",
            "--v=0",
        ])
        .args(["--virtual-time-budget=3000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url::Url::from_file_path(page).unwrap().as_str())
        .stdin(Stdio::null())
        .output()
        .expect("chromium runs: docker/local/packages.sh installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let console: Vec<String> = String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter(|line| line.contains(":CONSOLE"))
        .map(str::to_owned)
        .collect();
    (String::from_utf8(output.stdout).unwrap(), console.join("\n"))
}
