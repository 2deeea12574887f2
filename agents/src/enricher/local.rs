//! Enrichment without a language model: the sentences that say most, and keywords as tags. The same text and the same
//! known tags always give the same answer.

mod keywords;
mod language;
mod summary;

use unicode_segmentation::UnicodeSegmentation;

use super::answer::Answer;
use super::budget;
use super::clean::plain;
use super::page::Page;
use super::tags::{self, KnownTags};

/// Marks what was made here, in place of a model's name.
pub const MODEL: &str = "local-extractive-1";
/// What follows in a longer text changes neither summary nor keywords much.
const READ: usize = 12_000;

/// The language of a page: as it says, else as it reads. `None` where that is uncertain.
pub fn language(page: &Page) -> Option<String> {
    page.language.clone().or_else(|| language::detected(budget::cut(&page.text, READ)))
}

/// Tags, summary and topic. None is empty if the text has a word; without any, all are that the title does not give.
pub fn enrich(page: &Page, known: &KnownTags) -> Answer {
    let read = budget::cut(&page.text, READ);
    let text = lines(read);
    let language = language(page);
    let found = keywords::of(&page.title, &text, language.as_deref());
    // What the archive has many of comes first where the text has it too.
    let (usual, others): (Vec<&str>, Vec<&str>) =
        found.iter().map(String::as_str).partition(|keyword| known.like(keyword).is_some());
    let mut tags = tags::chosen(usual.into_iter().take(tags::MOST / 2).chain(others), known);
    let words = || read.unicode_words().take(40).collect::<Vec<_>>().join(" ");
    let summary = [summary::of(&text, &found), budget::cut(&page.title, 100).to_owned(), words()];
    let summary = summary.into_iter().find(|summary| !summary.is_empty()).unwrap_or_default();
    if tags.is_empty() {
        // A text of nothing but such words as "it" and "is" is tagged with the longest of them.
        let mut words: Vec<&str> = summary.unicode_words().collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
        let pieces: Vec<String> = words.into_iter().map(|word| word.chars().take(20).collect()).collect();
        tags = tags::chosen(pieces.iter().map(String::as_str).take(1), known);
    }
    // The first of what was found, not of what is usual here: it is this text's own.
    let topic = found.iter().find_map(|keyword| tags::normal(keyword)).or_else(|| tags.first().cloned());
    Answer { tags, summary, topic: topic.unwrap_or_default().replace('-', " ") }
}

/// Each line in plain text: of markup and addresses no keyword is made.
fn lines(text: &str) -> String {
    text.lines().map(plain).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
#[path = "local/tests.rs"]
mod tests;
