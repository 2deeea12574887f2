//! What a folder holds, for comparisons.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Every published file below a folder with its bytes; what the publisher remembers is left out.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    walk(folder, "", &mut |path, file| {
        found.insert(path, std::fs::read(file).unwrap());
    });
    found
}

/// Every published file with what changes when it is replaced.
pub fn inodes(folder: &Path) -> BTreeMap<String, (u64, i64)> {
    let mut found = BTreeMap::new();
    walk(folder, "", &mut |path, file| {
        let data = std::fs::metadata(file).unwrap();
        found.insert(path, (data.ino(), data.mtime() * 1_000_000_000 + data.mtime_nsec()));
    });
    found
}

/// The files whose text contains one of these words.
pub fn mentions(folder: &Path, words: &[&str]) -> Vec<String> {
    let has = |bytes: &[u8]| words.iter().any(|word| String::from_utf8_lossy(bytes).contains(word));
    files(folder).into_iter().filter(|(_, bytes)| has(bytes)).map(|(path, _)| path).collect()
}

/// Fails with the names that differ, not with thousands of bytes.
#[track_caller]
pub fn assert_same(left: &Path, right: &Path) {
    let (left, right) = (files(left), files(right));
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&left), names(&right));
    let differ: Vec<&String> =
        left.iter().filter(|(name, bytes)| right[*name] != **bytes).map(|(name, _)| name).collect();
    assert!(differ.is_empty(), "{differ:?}");
}

fn walk(folder: &Path, prefix: &str, each: &mut impl FnMut(String, &Path)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name == ".lifestream" {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), &format!("{path}/"), each);
        } else {
            each(path, &entry.path());
        }
    }
}
