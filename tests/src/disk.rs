//! A file system of its own that can be filled to the last byte.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::checkout::{servers, unique};
use crate::guard::Guard;

/// A small tmpfs; unmounted when dropped, or when this process ends.
pub struct Disk {
    folder: PathBuf,
    _guard: Guard,
}

impl Disk {
    /// Mounts one of so many megabytes.
    ///
    /// # Panics
    /// Where nobody may mount: this takes root, or sudo without a password.
    pub fn mount(megabytes: u32) -> Self {
        let folder = servers().join(unique("disk"));
        std::fs::create_dir(&folder).expect("a folder");
        let guard = Guard::over("disk", &folder);
        let mut command = Command::new("sudo");
        command.args(["-n", "mount"]);
        if is_root() {
            command = Command::new("mount");
        }
        let size = format!("size={megabytes}m,mode=777");
        let status = command.args(["-t", "tmpfs", "-o", &size, "lifestream-tests"]).arg(&folder).status();
        assert!(
            status.as_ref().is_ok_and(std::process::ExitStatus::success),
            "a full disk cannot be had: mounting a tmpfs takes root, or sudo without a password ({status:?})"
        );
        Self { folder, _guard: guard }
    }

    /// Where it is mounted.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Fills it up.
    pub fn fill(&self) {
        let mut ballast = OpenOptions::new().create(true).append(true).open(self.ballast()).expect("a file");
        for size in [1 << 20, 4096, 1] {
            let block = vec![0_u8; size];
            loop {
                match ballast.write_all(&block) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("{}: {error}", self.folder.display()),
                }
            }
        }
    }

    /// Leaves so many bytes free, of a full one.
    pub fn leave(&self, bytes: u64) {
        let ballast = File::options().write(true).open(self.ballast()).expect("it is full");
        let length = ballast.metadata().expect("a file").len();
        ballast.set_len(length.saturating_sub(bytes)).expect("it is cut");
    }

    /// Makes room again.
    pub fn free(&self) {
        match std::fs::remove_file(self.ballast()) {
            Err(error) if error.kind() != ErrorKind::NotFound => panic!("{}: {error}", self.folder.display()),
            _ => {}
        }
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id runs");
    output.stdout.starts_with(b"0\n")
}
