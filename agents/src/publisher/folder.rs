//! The folder that is published: files are replaced whole, only where their bytes change, and by one publisher at a time.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::error::PublishError;
use super::page::below;

/// Marks a folder as the publisher's.
const OWN: &str = ".lifestream";
const README: &str = "This folder is written by pg_lifestream's publisher (LIFESTREAM_FEED_DIR): feeds and pages of saved links.\n\
    What it wrote it changes and takes away again; files of other names stay as they are.\n\
    Here is what it has to remember. It can be deleted together with the pages: both are made anew from the database.\n";

/// What the publisher writes to the top of the folder.
const TOP: [&str; 9] =
    ["index.html", "feed.atom", "feed.json", "style.css", "icon.svg", "links", "tags", "archive", "t"];

/// How long another publisher may write before this one has failed (and tries again later).
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(25);

/// A folder for publication.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

/// The right to write, until the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Held {
    folder: Folder,
    _lock: Arc<File>,
}

/// What was done to files.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Files whose bytes changed.
    pub written: usize,
    /// Files that were as they should be.
    pub unchanged: usize,
    /// Files taken away.
    pub removed: usize,
}

/// How files get safe on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// Each by itself, before it takes the old one's place.
    Each,
    /// All at once by [`Held::sync`], for thousands of them. Before that, a power cut may leave some of them empty: what
    /// is not noted in the journal yet is compared and written again.
    Together,
}

/// Files written together, safe on disk once [`Batch::finish`] says so, or [`Held::sync`].
pub struct Batch<'a> {
    folder: &'a Folder,
    safety: Safety,
    changed: BTreeSet<PathBuf>,
    /// How far it came.
    pub done: Done,
}

impl Folder {
    /// Makes it if it is not there.
    ///
    /// # Errors
    /// It cannot be made or written to, or holds files of somebody else by the names that the publisher writes.
    pub fn open(path: &Path) -> Result<Self, PublishError> {
        let failed = |error| PublishError::folder(path, &error);
        fs::create_dir_all(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let own = path.join(OWN);
        if !own.is_dir() {
            // A file of ours without the mark is somebody's: it is not for us to overwrite.
            if let Some(name) = TOP.into_iter().find(|name| path.join(name).symlink_metadata().is_ok()) {
                return Err(PublishError::Foreign { folder: path, name });
            }
            fs::create_dir_all(&own).map_err(failed)?;
            fs::write(own.join("README.txt"), README).map_err(failed)?;
        }
        Ok(Self { path })
    }

    /// Where it is, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the publisher keeps what it has to remember.
    pub fn own(&self) -> PathBuf {
        self.path.join(OWN)
    }

    /// Waits until no other publisher writes to it.
    ///
    /// # Errors
    /// Another one has been writing for half a minute, or the lock cannot be had.
    pub async fn hold(&self) -> Result<Held, PublishError> {
        let path = self.own().join("lock");
        let failed = |error: io::Error| PublishError::folder(&path, &error);
        // Written to by nobody; opened so that a deleted one is made again.
        let lock = File::options().create(true).append(true).open(&path).map_err(failed)?;
        let start = tokio::time::Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::WouldBlock) => return Err(PublishError::Busy(self.path.clone())),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        Ok(Held { folder: self.clone(), _lock: Arc::new(lock) })
    }
}

impl Held {
    /// The folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Makes everything that was written safe on disk.
    ///
    /// # Errors
    /// The system says so.
    pub fn sync(&self) -> io::Result<()> {
        let folder = File::open(&self.folder.path)?;
        #[cfg(target_os = "linux")]
        rustix::fs::syncfs(&folder)?;
        #[cfg(not(target_os = "linux"))]
        {
            folder.sync_all()?;
            rustix::fs::sync();
        }
        Ok(())
    }

    /// Begins to write.
    pub fn batch(&self, safety: Safety) -> Batch<'_> {
        Batch { folder: &self.folder, safety, changed: BTreeSet::new(), done: Done::default() }
    }
}

impl Batch<'_> {
    /// The folder.
    pub fn root(&self) -> &Path {
        &self.folder.path
    }

    /// Puts a file in place, whole, if it is not there with these bytes. `path` has `/` between folders.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let target = below(&self.folder.path, path);
        if fs::read(&target).is_ok_and(|there| there == bytes) {
            self.done.unchanged += 1;
            return Ok(());
        }
        let parent = target.parent().unwrap_or(&self.folder.path).to_owned();
        if !parent.is_dir() {
            self.make(&parent)?;
        }
        put_in_place(&target, &self.folder.own().join("writing"), bytes, self.safety)?;
        self.changed.insert(parent);
        self.done.written += 1;
        Ok(())
    }

    /// Takes a file away, and its folder if that is empty then and below `links`, `tags`, `archive` or `t`.
    ///
    /// # Errors
    /// It cannot be taken away.
    pub fn remove(&mut self, path: &str) -> io::Result<()> {
        let target = below(&self.folder.path, path);
        match fs::remove_file(&target) {
            Ok(()) => self.done.removed += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        let parent = target.parent().unwrap_or(&self.folder.path).to_owned();
        if parent != self.folder.path && fs::remove_dir(&parent).is_ok() {
            self.changed.remove(&parent);
            self.changed.extend(parent.parent().map(Path::to_owned));
        } else {
            self.changed.insert(parent);
        }
        Ok(())
    }

    /// Makes the folders' entries safe; the files' bytes are already.
    ///
    /// # Errors
    /// A folder cannot be synced.
    pub fn finish(self) -> io::Result<Done> {
        if self.safety == Safety::Each {
            for folder in &self.changed {
                File::open(folder)?.sync_all()?;
            }
        }
        Ok(self.done)
    }

    fn make(&mut self, folder: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.is_dir()).collect();
        fs::create_dir_all(folder)?;
        self.changed.extend(missing.iter().filter_map(|folder| folder.parent()).map(Path::to_owned));
        Ok(())
    }
}

/// Replaces a file whole and for good: readers see the old or the new one, also after a power cut.
///
/// # Errors
/// It cannot be written.
pub fn replace(target: &Path, aside: &Path, bytes: &[u8]) -> io::Result<()> {
    put_in_place(target, aside, bytes, Safety::Each)?;
    target.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// The same, but for the folder's entry, which the caller syncs.
fn put_in_place(target: &Path, aside: &Path, bytes: &[u8], safety: Safety) -> io::Result<()> {
    let mut file = File::create(aside)?;
    file.write_all(bytes)?;
    if safety == Safety::Each {
        file.sync_data()?;
    }
    fs::rename(aside, target)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[tokio::test]
    async fn files_are_written_where_their_bytes_change_and_empty_folders_go() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().join("new/site")).unwrap();
        let held = folder.hold().await.unwrap();
        let mut batch = held.batch(Safety::Each);
        batch.put("tags/a/index.html", b"one").unwrap();
        batch.put("index.html", b"home").unwrap();
        batch.put("index.html", b"home").unwrap();
        assert_eq!(batch.finish().unwrap(), Done { written: 2, unchanged: 1, removed: 0 });
        std::fs::write(folder.path().join("tags/theirs.txt"), "x").unwrap();
        let mut batch = held.batch(Safety::Each);
        batch.remove("tags/a/index.html").unwrap();
        batch.remove("tags/a/index.html").unwrap();
        assert_eq!(batch.finish().unwrap(), Done { written: 0, unchanged: 0, removed: 1 });
        assert!(!folder.path().join("tags/a").exists() && folder.path().join("tags/theirs.txt").exists());
    }

    #[tokio::test]
    async fn what_is_somebody_elses_stays() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("index.html"), "mine").unwrap();
        let refused = Folder::open(place.path()).unwrap_err();
        assert!(refused.is_setting() && refused.to_string().contains("LIFESTREAM_FEED_DIR"), "{refused}");
        assert!(refused.to_string().contains("index.html"), "{refused}");
        std::fs::rename(place.path().join("index.html"), place.path().join("about.html")).unwrap();
        Folder::open(place.path()).unwrap();
        assert_eq!(std::fs::read_to_string(place.path().join("about.html")).unwrap(), "mine");
    }

    #[tokio::test]
    async fn one_writes_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let held = folder.hold().await.unwrap();
        let shared = held.clone();
        let other = Folder::open(place.path()).unwrap();
        let waiting = other.hold();
        tokio::pin!(waiting);
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        drop(held);
        assert!(futures_util::poll!(waiting.as_mut()).is_pending(), "whoever still writes holds it");
        drop(shared);
        waiting.await.unwrap();
    }
}
