//! Where this clone stands, and its scripts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The root of this clone.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("the tests' crate lies in a folder of the workspace")
            .to_owned()
    })
}

/// cargo's target folder: the one that this very test program was built in.
pub fn target() -> &'static Path {
    static TARGET: OnceLock<PathBuf> = OnceLock::new();
    TARGET.get_or_init(|| {
        // <target>/debug/deps/<test program>
        let program = std::env::current_exe().expect("the path of this test program");
        program.ancestors().nth(3).expect("a test program lies three folders below the target folder").to_owned()
    })
}

/// A file or folder for this test program alone: unique by process and count, never reused.
pub fn unique(name: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A command for one of the scripts in `docker/local`, with this test program's target folder.
pub fn script(name: &str) -> Command {
    let mut command = Command::new(root().join("docker/local").join(name));
    command.env("CARGO_TARGET_DIR", target()).stdin(Stdio::null());
    command
}

/// Runs a script to its end and gives what it printed, trimmed.
///
/// # Panics
/// With the script's own words if it fails.
pub fn run_script(name: &str, arguments: &[&str]) -> String {
    let mut command = script(name);
    command.args(arguments);
    let output = crate::spawner::spawn(command)
        .and_then(std::process::Child::wait_with_output)
        .unwrap_or_else(|error| panic!("{name} cannot be run: {error}"));
    assert!(
        output.status.success(),
        "{name} {}: {}\n{}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("scripts print UTF-8").trim().to_owned()
}

/// The folder that throw-away servers keep their files in: one that the servers' account can reach.
pub fn servers() -> PathBuf {
    static SERVERS: OnceLock<PathBuf> = OnceLock::new();
    SERVERS.get_or_init(|| PathBuf::from(run_script("test-servers.sh", &["place"]))).clone()
}
