//! Puts the pages of `articles/` into the program: a list of site, place and text.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=articles");
    let articles = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("articles");
    let mut files = Vec::new();
    collect(&articles, &mut files)?;
    // The order of a folder is the file system's; that of a program should not be.
    files.sort();
    let mut list = String::from("&[\n");
    for file in &files {
        let place = file.strip_prefix(&articles).map_err(io::Error::other)?.with_extension("");
        let place = place.to_str().ok_or_else(|| io::Error::other(format!("{}: not UTF-8", file.display())))?;
        // Named from where the crate lies when it is compiled: the clone may have moved since this list was made.
        let file = format!("/articles/{place}.md");
        writeln!(list, "    ({place:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {file:?}))),")
            .map_err(io::Error::other)?;
    }
    list.push_str("]\n");
    fs::write(Path::new(&variable("OUT_DIR")?).join("articles.rs"), list)
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    Ok(())
}
