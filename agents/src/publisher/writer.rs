//! Brings the folder up to date with the state: reads what changed, writes the files that show it, notes what was done.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio_postgres::Client;

use super::entry::Entry;
use super::error::PublishError;
use super::folder::{Done, Folder, Held, Safety};
use super::index::{Index, Known};
use super::journal::{Journal, Reading, State};
use super::look::Look;
use super::page::{Page, site_path};
use super::plan::{Change, Plan};
use super::render::{self, Scene};
use super::store::{self, TagRules};
use super::sweep;

/// Links whose texts are in memory at a time, but for those of one page.
const AT_A_TIME: usize = 500;

/// From so many files on, they are made safe on disk all at once: the system then writes in the order that it likes.
const MANY: usize = 200;

/// Files of a tenant's site that are written together, and the subjects that they show.
struct Portion {
    files: Vec<(Page, String)>,
    subjects: BTreeSet<String>,
}

/// Writes one folder.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    title: String,
    served_at: Option<String>,
    open: Option<Open>,
    /// The facts about tags that the folder shows; none before the first time.
    tag_rules: Option<TagRules>,
}

#[derive(Debug, Clone)]
struct Open {
    folder: Folder,
    look: Arc<Look>,
    journal: Journal,
    /// What the folder shows, as far as the journal was read; none after something failed half way.
    shown: Option<(Arc<Index>, Reading)>,
}

/// What to bring up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent<'a> {
    /// These links; all of them where that is needed: at the start, and when tags were merged or dropped.
    Links(&'a [String]),
    /// All links.
    Everything,
}

/// What has been published.
#[derive(Debug)]
pub struct Published {
    /// What was done to files.
    pub done: Done,
    /// What the folder shows now.
    pub index: Arc<Index>,
    /// What its pages look like.
    pub look: Arc<Look>,
}

impl Writer {
    /// For a folder, with the site's title, and where it is served if it is.
    pub fn new(path: &Path, title: &str, served_at: Option<&str>) -> Self {
        let served_at = served_at.map(str::to_owned);
        Self { path: path.to_owned(), title: title.to_owned(), served_at, open: None, tag_rules: None }
    }

    /// Brings the folder up to date. Tried again after an error it makes good what was left half done.
    ///
    /// # Errors
    /// The folder or the database.
    pub async fn publish(&mut self, client: &Client, extent: Extent<'_>) -> Result<Published, PublishError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open().await?,
        };
        let shown = open.shown.take();
        self.open = Some(open.clone());
        let held = open.folder.hold().await?;
        let (index, reading) = read(&open.journal, shown).await?;
        let rules = store::tag_rules(client).await?;

        // Nothing can be known of the pages without a journal, nor how they look when they are of another version.
        let first = self.tag_rules.is_none();
        let whole = reading.as_ref().is_none_or(|reading| first && reading.look() != open.look.digest());
        let mut index = Arc::unwrap_or_clone(index);
        index.open_site("");
        let changes = match extent {
            Extent::Links(subjects) if !whole && self.tag_rules == Some(rules) => {
                some(client, subjects, &index).await?
            }
            _ => all(client, &index).await?,
        };
        let (put, gone) = (shown_of(&changes), gone_of(&changes));
        let mut plan = Plan::apply(&mut index, changes);
        let index = Arc::new(index);
        if whole {
            plan.write = Plan::whole(&index).write;
            plan.remove = plan.remove.difference(&plan.write).cloned().collect();
        }
        let job = Job { held, look: Arc::clone(&open.look), index: Arc::clone(&index) };
        let done = job.carry_out(client, plan, whole).await?;
        let reading = note(job.held, &open, &index, reading.filter(|_| !whole), put, gone).await?;
        self.tag_rules = Some(rules);
        self.open = Some(Open { shown: Some((Arc::clone(&index), reading)), ..open.clone() });
        Ok(Published { done, index, look: open.look })
    }

    async fn open(&self) -> Result<Open, PublishError> {
        let (path, title, served_at) = (self.path.clone(), self.title.clone(), self.served_at.clone());
        blocking(move || {
            let folder = Folder::open(&path)?;
            let look = Look::new(&title, served_at.as_deref(), folder.path())
                .ok_or_else(|| PublishError::rendering(format!("LIFESTREAM_FEED_URL={served_at:?} is no address")))?;
            let journal = Journal::new(&folder.own());
            Ok(Open { folder, look: Arc::new(look), journal, shown: None })
        })
        .await
    }
}

/// Reads the journal on from where it was read.
async fn read(
    journal: &Journal,
    shown: Option<(Arc<Index>, Reading)>,
) -> Result<(Arc<Index>, Option<Reading>), PublishError> {
    let journal = journal.clone();
    blocking(move || {
        let (mut index, since) = match shown {
            Some((index, reading)) => (Arc::unwrap_or_clone(index), Some(reading)),
            None => (Index::default(), None),
        };
        let state = journal.read(since, &mut index).map_err(PublishError::journal)?;
        Ok((
            Arc::new(index),
            match state {
                State::Nothing => None,
                State::UpToDate(reading) => Some(reading),
            },
        ))
    })
    .await
}

/// How these links differ from what is shown of them.
async fn some(client: &Client, subjects: &[String], shown: &Index) -> Result<Vec<Change>, PublishError> {
    let found = store::links(client, subjects).await?;
    let subjects: BTreeSet<&String> = subjects.iter().collect();
    let change = |subject: &String| {
        let link = found.get(subject).map(Known::from);
        (shown.link(subject) != link.as_ref()).then(|| Change { subject: subject.clone(), link })
    };
    Ok(subjects.into_iter().filter_map(change).collect())
}

/// How all links differ from what is shown.
async fn all(client: &Client, shown: &Index) -> Result<Vec<Change>, PublishError> {
    let mut changes = Vec::new();
    let mut seen = HashSet::new();
    store::all_links(client, |entry| {
        let link = Known::from(&entry);
        if shown.link(&entry.subject) == Some(&link) {
            seen.insert(entry.subject);
        } else {
            seen.insert(entry.subject.clone());
            changes.push(Change { subject: entry.subject, link: Some(link) });
        }
    })
    .await?;
    let gone = shown.links().filter(|link| !seen.contains(&link.subject));
    changes.extend(gone.map(|link| Change { subject: link.subject.clone(), link: None }));
    Ok(changes)
}

fn shown_of(changes: &[Change]) -> Vec<Known> {
    changes.iter().filter_map(|change| change.link.clone()).collect()
}

fn gone_of(changes: &[Change]) -> Vec<String> {
    changes.iter().filter(|change| change.link.is_none()).map(|change| change.subject.clone()).collect()
}

/// Notes what was done, now that it is. It has the lock to its end, also when nobody waits for it any more.
async fn note(
    held: Held,
    open: &Open,
    index: &Arc<Index>,
    reading: Option<Reading>,
    put: Vec<Known>,
    gone: Vec<String>,
) -> Result<Reading, PublishError> {
    let (journal, look, index) = (open.journal.clone(), open.look.digest(), Arc::clone(index));
    blocking(move || {
        let _held = held;
        match reading {
            Some(mut reading) if !reading.is_long(index.len()) => {
                journal.append(&mut reading, &put, &gone).map(|()| reading)
            }
            _ => journal.rewrite(&look, &index),
        }
        .map_err(PublishError::journal)
    })
    .await
}

/// Files to write, with all that is needed for it. Each step that writes has the lock, also when nobody waits for it any more.
struct Job {
    held: Held,
    look: Arc<Look>,
    index: Arc<Index>,
}

impl Job {
    async fn carry_out(&self, client: &Client, plan: Plan, whole: bool) -> Result<Done, PublishError> {
        let mut done = Done::default();
        let safety = if plan.write.len() < MANY { Safety::Each } else { Safety::Together };
        for portion in self.portions(plan.write) {
            let subjects: Vec<String> = portion.subjects.into_iter().collect();
            let entries = if subjects.is_empty() { HashMap::new() } else { store::links(client, &subjects).await? };
            done.add(self.write(portion.files, entries, safety).await?);
        }
        let (held, index) = (self.held.clone(), Arc::clone(&self.index));
        let removed = blocking(move || {
            let mut batch = held.batch(safety);
            let failed = |error| PublishError::folder(held.folder().path(), &error);
            for (page, tenant) in plan.remove {
                batch.remove(&format!("{}{}", site_path(&tenant), page.path())).map_err(failed)?;
            }
            if whole {
                sweep::leftovers(&mut batch, &index).map_err(failed)?;
            }
            let done = batch.finish().map_err(failed)?;
            if safety == Safety::Together {
                held.sync().map_err(failed)?;
            }
            Ok(done)
        });
        done.add(removed.await?);
        Ok(done)
    }

    /// Cut so that no more than a bounded number of texts is in memory.
    fn portions(&self, files: BTreeSet<(Page, String)>) -> Vec<Portion> {
        let mut portions = Vec::new();
        let mut now = Portion { files: Vec::new(), subjects: BTreeSet::new() };
        for (page, tenant) in files {
            let Some(site) = self.index.site(&tenant) else { continue };
            let ids = match &page {
                Page::Link(id) => vec![*id],
                page => render::shown(page, site).into_iter().map(|place| place.id).collect(),
            };
            now.subjects.extend(ids.into_iter().filter_map(|id| self.index.subject(id)).map(str::to_owned));
            now.files.push((page, tenant));
            if now.subjects.len() >= AT_A_TIME {
                portions.push(std::mem::replace(&mut now, Portion { files: Vec::new(), subjects: BTreeSet::new() }));
            }
        }
        portions.push(now);
        portions
    }

    async fn write(
        &self,
        files: Vec<(Page, String)>,
        entries: HashMap<String, Entry>,
        safety: Safety,
    ) -> Result<Done, PublishError> {
        let (held, look, index) = (self.held.clone(), Arc::clone(&self.look), Arc::clone(&self.index));
        blocking(move || {
            let mut batch = held.batch(safety);
            let failed = |error| PublishError::folder(held.folder().path(), &error);
            let mut paths: BTreeMap<&str, String> = BTreeMap::new();
            for (page, tenant) in &files {
                let Some(site) = index.site(tenant) else { continue };
                let scene = Scene { look: &look, tenant, site, entries: &entries, index: &index };
                let folder = paths.entry(tenant).or_insert_with(|| site_path(tenant));
                if let Some(bytes) = scene.render(page)? {
                    batch.put(&format!("{folder}{}", page.path()), &bytes).map_err(failed)?;
                }
            }
            batch.finish().map_err(failed)
        })
        .await
    }
}

impl Done {
    fn add(&mut self, other: Self) {
        self.written += other.written;
        self.unchanged += other.unchanged;
        self.removed += other.removed;
    }
}

/// Files are not for the threads that everything else runs on.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PublishError> + Send + 'static,
) -> Result<T, PublishError> {
    spawn_blocking(work).await.map_err(PublishError::rendering)?
}
