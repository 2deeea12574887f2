//! Pages of an earlier time that nobody remembers: after the journal was lost, or when file names changed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::folder::Batch;
use super::index::Index;
use super::page::{Page, site_path};

/// What every page of ours says of itself.
const OURS: &str = "<meta name=\"generator\" content=\"pg_lifestream\">";
/// As far down as it stands.
const HEAD: usize = 4096;
/// The folders that the publisher makes, below a site's.
const FOLDERS: [&str; 3] = ["links", "tags", "archive"];

/// Takes away every page in our folders that says it is ours and is none of those that the index asks for.
pub fn leftovers(batch: &mut Batch<'_>, index: &Index) -> io::Result<()> {
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    for (tenant, site) in index.sites() {
        let folder = site_path(tenant);
        wanted.extend(site.pages().iter().map(|page| format!("{folder}{}", page.path())));
    }
    let link = |link: &super::index::Known| format!("{}{}", site_path(&link.tenant), Page::Link(link.place.id).path());
    wanted.extend(index.links().map(link));

    let mut found = Vec::new();
    let root = batch.root().to_owned();
    let mut sites = vec![String::new()];
    sites.extend(names(&root.join("t"))?.into_iter().map(|name| format!("t/{name}/")));
    for site in &sites {
        for folder in FOLDERS {
            pages(&root, &format!("{site}{folder}"), &mut found)?;
        }
    }
    // Of a tenant that has no site any more: feeds, stylesheet and icon do not say whose they are, the first page does.
    let top = |site: &String| Page::always().map(|page| format!("{site}{}", page.path()));
    found.extend(sites.iter().filter(|site| is_ours(&root.join(site).join("index.html"))).flat_map(top));
    for path in found.into_iter().filter(|path| !wanted.contains(path)) {
        batch.remove(&path)?;
    }
    Ok(())
}

/// Our pages in a folder and in those below it.
fn pages(root: &Path, folder: &str, found: &mut Vec<String>) -> io::Result<()> {
    for name in names(&root.join(folder))? {
        let path = format!("{folder}/{name}");
        let file = root.join(&path);
        let kind = file.symlink_metadata()?;
        if kind.is_dir() {
            pages(root, &path, found)?;
        } else if kind.is_file() && name.ends_with(".html") && is_ours(&file) {
            found.push(path);
        }
    }
    Ok(())
}

fn is_ours(file: &Path) -> bool {
    use std::io::Read;
    let mut head = Vec::new();
    let read = fs::File::open(file).and_then(|file| file.take(HEAD as u64).read_to_end(&mut head));
    read.is_ok() && String::from_utf8_lossy(&head).contains(OURS)
}

/// The names in a folder; none where there is no folder. What is no Unicode is not ours.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}
