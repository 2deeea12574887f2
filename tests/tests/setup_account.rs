//! The set-up as root and as a plain user: whose servers they are, where they lie, and what is said when something is missing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lifestream_tests::checkout::{root, servers, unique};

/// A folder that anybody may read, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = servers().join(unique(name));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

/// Runs lines of bash after the scripts of a clone have been read.
fn bash(clone: &Path, as_nobody: bool, lines: &str) -> Output {
    let mut command = if as_nobody {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--", "bash"]);
        setpriv
    } else {
        Command::new("bash")
    };
    let sources = "for part in settings stage place packages; do source docker/local/$part.sh; done\n";
    command.current_dir(clone).args(["-c", &format!("{sources}{lines}")]).output().unwrap()
}

#[test]
fn a_folder_that_the_servers_cannot_reach_is_left_as_it_is() {
    let folder = Folder::new("closed");
    let closed = folder.0.join("home");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
    let wanted = closed.join("clone/var");

    let output = bash(root(), false, &format!("place {}", wanted.display()));
    assert!(output.status.success(), "{output:?}");
    let place = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    if is_root() {
        assert!(place.starts_with("/var/tmp/pg_lifestream-"), "{place}");
        std::fs::remove_dir(&place).unwrap();
    } else {
        assert_eq!(place, wanted.to_str().unwrap());
    }
    assert_eq!(std::fs::metadata(&closed).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_reachable_folder_is_taken() {
    let folder = Folder::new("open");
    let wanted = folder.0.join("clone/var");
    let output = bash(root(), false, &format!("place {}", wanted.display()));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), wanted.to_str().unwrap());
}

#[test]
fn without_packages_and_without_rights_the_command_to_ask_for_is_printed() {
    let folder = Folder::new("plain");
    let clone = &folder.0;
    let copied = Command::new("cp").arg("-r").arg(root().join("docker")).arg(clone).status().unwrap();
    assert!(copied.success());
    // A machine without any of the packages, and without sudo.
    let lines = "PATH=/nowhere; dpkg-query() { return 1; }; apt-get() { :; }; id() { echo somebody; }; install_packages postgresql-15 maven";
    let output = bash(clone, is_root(), lines);
    assert!(!output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("somebody may not install them"), "{said}");
    assert!(said.contains("apt-get install --no-install-recommends postgresql-15 maven"), "{said}");
}

#[test]
fn a_path_that_builds_cannot_take_is_refused() {
    let folder = Folder::new("odd");
    let clone = folder.0.join("my clone");
    std::fs::create_dir(&clone).unwrap();
    assert!(Command::new("cp").arg("-r").arg(root().join("docker")).arg(&clone).status().unwrap().success());
    let output = Command::new(clone.join("docker/local/up.sh")).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("my clone"), "{output:?}");
    assert!(!clone.join("var").exists(), "nothing was made there");
}
