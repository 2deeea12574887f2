//! Servers must not outlive the tests, even those of a test program that was killed.
//!
//! A guard is a process (`docker/local/guard.sh`) that waits for the end of a pipe whose other end only this test program
//! holds. However this program ends, the kernel closes the pipe; the guard then stops the server and removes its folder.

use std::path::Path;
use std::process::{Child, Stdio};

use crate::checkout::script;

/// Stops a server and removes its folder when dropped, or when this process ends.
pub struct Guard {
    process: Child,
}

impl Guard {
    /// Guards the server of a kind (`postgres`, `kafka`, or `stack` for all that `make up` starts) in a folder; to be set up before the server is started.
    pub fn over(kind: &str, folder: &Path) -> Self {
        let process = script("guard.sh")
            .arg(kind)
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("guard.sh starts");
        Self { process }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // Nothing can be done about a guard that fails but to say so.
        match self.process.wait() {
            Ok(status) if status.success() => {}
            other => eprintln!("a guard could not clean up: {other:?}"),
        }
    }
}
