//! What the folder shows, kept in the folder: a line for each link that was written or taken away, after the files were.
//! Whoever opens the folder knows from it which lists a link stood in, also after a crash, and what another publisher did.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::folder::replace;
use super::index::{Index, Known};

/// Rewritten shorter when it has this many lines more than twice the links.
const SLACK: usize = 1000;

/// The first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Head {
    /// Another one is another file, to be read from its beginning.
    journal: Uuid,
    /// What pages look like; another look, and all of them are to be written.
    look: String,
}

/// Every further line: a link as it is shown, or the subject of one that is no more.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Shown(Known),
    Gone { gone: String },
}

/// How far the journal has been read.
#[derive(Debug, Clone)]
pub struct Reading {
    head: Head,
    offset: u64,
    lines: usize,
}

/// The journal's file.
#[derive(Debug, Clone)]
pub struct Journal {
    path: PathBuf,
}

/// What reading gave.
pub enum State {
    /// There is none that could be read: everything is to be written.
    Nothing,
    /// The index has what the journal has.
    UpToDate(Reading),
}

impl Reading {
    /// What pages look like by it.
    pub fn look(&self) -> &str {
        &self.head.look
    }

    /// Whether most of its lines are overtaken by later ones.
    pub fn is_long(&self, links: usize) -> bool {
        self.lines > 2 * links + SLACK
    }
}

impl Journal {
    /// In that folder.
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.join("journal") }
    }

    /// Brings an index up to date: reads on from where the last reading ended, or all of it.
    ///
    /// # Errors
    /// It cannot be read. What is in it and makes no sense is no error: the answer is then that there is nothing.
    pub fn read(&self, since: Option<Reading>, index: &mut Index) -> io::Result<State> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *index = Index::default();
                return Ok(State::Nothing);
            }
            Err(error) => return Err(error),
        };
        let head = first_line(&mut file)?;
        let Some((head, begin)) = head else {
            *index = Index::default();
            return Ok(State::Nothing);
        };
        let mut reading = match since {
            Some(since) if since.head.journal == head.journal && since.offset <= file.metadata()?.len() => since,
            _ => {
                *index = Index::default();
                Reading { head, offset: begin, lines: 0 }
            }
        };
        file.seek(SeekFrom::Start(reading.offset))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        // A last line without its end was cut off by a crash: what it says is done anew.
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(Line::Shown(link)) => index.insert(link),
                Ok(Line::Gone { gone }) => index.remove(&gone),
                Err(_) => {
                    *index = Index::default();
                    return Ok(State::Nothing);
                }
            }
            reading.lines += 1;
        }
        reading.offset += whole as u64;
        Ok(State::UpToDate(reading))
    }

    /// Adds what was done, once it is done.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn append(&self, reading: &mut Reading, shown: &[Known], gone: &[String]) -> io::Result<()> {
        let mut text = Vec::new();
        for link in shown {
            push(&mut text, &Line::Shown(link.clone()))?;
        }
        for gone in gone {
            push(&mut text, &Line::Gone { gone: gone.clone() })?;
        }
        if text.is_empty() {
            return Ok(());
        }
        let mut file = OpenOptions::new().write(true).open(&self.path)?;
        // Over a line that was cut off, if there is one.
        file.set_len(reading.offset)?;
        file.seek(SeekFrom::Start(reading.offset))?;
        file.write_all(&text)?;
        file.sync_data()?;
        reading.offset += text.len() as u64;
        reading.lines += shown.len() + gone.len();
        Ok(())
    }

    /// Writes it anew, with nothing in it but what is shown now.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn rewrite(&self, look: &str, index: &Index) -> io::Result<Reading> {
        let head = Head { journal: Uuid::now_v7(), look: look.to_owned() };
        let mut text = Vec::new();
        push(&mut text, &head)?;
        for link in index.links() {
            push(&mut text, &Line::Shown(link.clone()))?;
        }
        replace(&self.path, &self.path.with_extension("new"), &text)?;
        Ok(Reading { head, offset: text.len() as u64, lines: index.len() })
    }
}

fn push(text: &mut Vec<u8>, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *text, line)?;
    text.push(b'\n');
    Ok(())
}

fn first_line(file: &mut File) -> io::Result<Option<(Head, u64)>> {
    let mut start = vec![0; 1024];
    let mut have = 0;
    loop {
        let read = file.read(&mut start[have..])?;
        have += read;
        if let Some(end) = start[..have].iter().position(|byte| *byte == b'\n') {
            return Ok(serde_json::from_slice(&start[..end]).ok().map(|head| (head, end as u64 + 1)));
        }
        if read == 0 || have == start.len() {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::publisher::entry::page_id;
    use crate::publisher::listing::Place;

    fn link(n: i64) -> Known {
        let subject = format!("link:{n}");
        let place = Place { at: n, seq: n, id: page_id("", &subject) };
        Known { place, tenant: String::new(), digest: "d".into(), tags: vec!["a".into()], subject }
    }

    fn subjects(index: &Index) -> Vec<String> {
        let mut subjects: Vec<String> = index.links().map(|link| link.subject.clone()).collect();
        subjects.sort();
        subjects
    }

    fn read(journal: &Journal, since: Option<Reading>, index: &mut Index) -> Reading {
        match journal.read(since, index).unwrap() {
            State::UpToDate(reading) => reading,
            State::Nothing => panic!("nothing to read"),
        }
    }

    #[test]
    fn what_was_done_is_read_by_another_and_after_a_cut() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path());
        let mut mine = Index::default();
        assert!(matches!(journal.read(None, &mut mine).unwrap(), State::Nothing));
        let mut reading = journal.rewrite("look", &mine).unwrap();
        let mut others = Index::default();
        let other = read(&journal, None, &mut others);
        journal.append(&mut reading, &[link(1), link(2)], &[]).unwrap();
        journal.append(&mut reading, &[link(3)], &["link:1".into()]).unwrap();
        let other = read(&journal, Some(other), &mut others);
        assert_eq!((subjects(&others), other.look()), (vec!["link:2".to_owned(), "link:3".to_owned()], "look"));

        // A crash in the middle of a line: it counts for nothing, and the next line goes in its place.
        let whole = std::fs::read(&journal.path).unwrap();
        std::fs::write(&journal.path, [&whole[..], b"{\"subject\":\"li"].concat()).unwrap();
        let mut again = Index::default();
        let mut reading = read(&journal, None, &mut again);
        journal.append(&mut reading, &[link(4)], &[]).unwrap();
        read(&journal, Some(other), &mut others);
        assert_eq!(subjects(&others), ["link:2", "link:3", "link:4"]);

        // Written anew by one, it is read from its beginning by the other.
        let old = read(&journal, None, &mut again);
        journal.rewrite("other look", &others).unwrap();
        assert_eq!(read(&journal, Some(old), &mut again).look(), "other look");
        assert_eq!(subjects(&again), subjects(&others));
    }

    #[test]
    fn what_makes_no_sense_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path());
        journal.rewrite("look", &Index::default()).unwrap();
        let good = std::fs::read_to_string(&journal.path).unwrap();
        for text in
            ["", "\n", "{}\n", "not json\n", &"x".repeat(5000), &format!("{good}not json\n"), &format!("{good}[]\n")]
        {
            std::fs::write(&journal.path, text).unwrap();
            let mut index = Index::default();
            index.insert(link(1));
            assert!(matches!(journal.read(None, &mut index).unwrap(), State::Nothing), "{text:.40}");
            assert_eq!(index.len(), 0);
        }
    }

    #[test]
    fn it_is_long_when_most_of_it_is_overtaken() {
        let reading = |lines| Reading { head: Head { journal: Uuid::nil(), look: String::new() }, offset: 0, lines };
        assert_eq!((reading(1020).is_long(10), reading(1021).is_long(10)), (false, true));
    }
}
