//! Keywords of a text, best first.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use unicode_segmentation::UnicodeSegmentation;
use yake_rust::{Config, StopWords, get_n_best};

use super::language;
use crate::enricher::tags;

/// How many are found before those are dropped that say the same.
const CANDIDATES: usize = 120;
/// How many are of use.
const MOST: usize = 40;
/// A text that repeats fewer words than this is known by words that it says once, too.
const FEW: usize = 5;
/// Words that a sentence puts together with others; a keyword of Chinese or Japanese has none of these characters.
const JOINTS: &str = "的了是在和有我他她它这那不为与及或但而也就都被把对从到等其之于以个们你您很会能要上中下一";

/// Keywords of a text of plain lines, in a language of two letters.
pub fn of(title: &str, text: &str, language: Option<&str>) -> Vec<String> {
    let whole = if title.is_empty() { text.to_owned() } else { format!("{title}.\n\n{text}") };
    let mut found = if is_unspaced(&whole) { Vec::new() } else { spaced(&whole, language) };
    found.extend(unspaced(&whole));
    if found.is_empty() {
        found = frequent(&whole);
    }
    let mut seen: HashSet<String> = HashSet::new();
    found.retain(|keyword| seen.insert(tags::spelling(keyword)));
    found.truncate(MOST);
    found
}

/// Phrases of up to two words, by their place, number and company in the text (YAKE).
fn spaced(text: &str, language: Option<&str>) -> Vec<String> {
    let stop_words = language.and_then(|code| StopWords::predefined(language::of_stop_words(code))).unwrap_or_default();
    let config =
        Config { ngrams: 2, remove_duplicates: false, only_alphanumeric_and_hyphen: true, ..Config::default() };
    let text = orderly(text);
    // It is not known to panic on any text; if one is found, the text is not to blame and has its other keywords.
    let found = catch_unwind(AssertUnwindSafe(|| get_n_best(usize::MAX, &text, &stop_words, &config)));
    let mut found: Vec<(u64, String)> = found
        .unwrap_or_default()
        .into_iter()
        .filter(|item| item.score.is_finite() && item.score >= 0.0)
        // Its sums depend in their last digits on the order of a hash table, which is another in every run.
        .map(|item| ((item.score * 1e9).round() as u64, item.keyword))
        .collect();
    found.sort();
    let counts = counts(&text);
    let said = |keyword: &str| counts.get(keyword).copied().unwrap_or_default();
    let ranked = found.into_iter().map(|(_, keyword)| keyword).take(CANDIDATES);
    // Two words that stand together once are no phrase; a word that is said once is seldom what a text is about.
    let (mut kept, once): (Vec<String>, Vec<String>) = ranked.partition(|keyword| said(keyword) > 1);
    if kept.len() < FEW {
        kept.extend(once.into_iter().filter(|keyword| !keyword.contains(' ')).take(FEW));
    }
    // A word that is nearly always said as a part of a phrase says nothing beside it.
    let phrases: Vec<(String, usize)> =
        kept.iter().filter(|keyword| keyword.contains(' ')).map(|phrase| (phrase.clone(), said(phrase))).collect();
    kept.retain(|word| {
        let covers = |(phrase, count): &(String, usize)| {
            phrase != word && phrase.split(' ').any(|part| part == word) && said(word) < 2 * count
        };
        !phrases.iter().any(covers)
    });
    kept
}

/// How often each word, and each two that follow each other, are said.
fn counts(text: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for line in text.lines() {
        let words: Vec<String> = line
            .split_whitespace()
            .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase())
            .filter(|word| !word.is_empty())
            .collect();
        for pair in words.windows(2) {
            *counts.entry(pair.join(" ")).or_default() += 1;
        }
        for word in words {
            *counts.entry(word).or_default() += 1;
        }
    }
    counts
}

/// Only words, spaces and the marks that end a sentence; no word of a length that none has.
fn orderly(text: &str) -> String {
    let mut orderly = String::with_capacity(text.len());
    for line in text.lines() {
        for word in line.split_whitespace() {
            let kept: String = word.chars().filter(|c| c.is_alphanumeric() || "-'’.,;:!?".contains(*c)).collect();
            if kept.len() <= 80 {
                orderly.push_str(&kept);
                orderly.push(' ');
            }
        }
        orderly.push_str("\n\n");
    }
    orderly
}

/// Pieces that come again and again in a writing without spaces: the longer and the more often, the better.
fn unspaced(text: &str) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let is_part = |c: char| script(c).is_some() && !JOINTS.contains(c);
    for run in text.split(|c| !is_part(c)) {
        let characters: Vec<&str> = run.graphemes(true).collect();
        // Two ideographs are a word; two letters are not.
        let shortest = if run.starts_with(is_letter) { 3 } else { 2 };
        for length in shortest..=6 {
            for piece in characters.windows(length) {
                let piece = piece.concat();
                // A word of katakana is written in one piece and has no parts.
                let whole = piece.chars().all(is_katakana) && piece.len() < run.len() && run.chars().all(is_katakana);
                if !whole && piece.chars().map(script).all(|found| found == piece.chars().next().and_then(script)) {
                    *counts.entry(piece).or_default() += 1;
                }
            }
        }
    }
    let mut found: Vec<(usize, String)> = counts
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .map(|(piece, count)| (count * (piece.graphemes(true).count() - 1), piece))
        .collect();
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let mut kept: Vec<String> = Vec::new();
    for (_, piece) in found {
        if kept.len() < MOST && !kept.iter().any(|other| other.contains(&piece) || piece.contains(other.as_str())) {
            kept.push(piece);
        }
    }
    kept
}

/// The longest and most frequent words, whatever they are.
fn frequent(text: &str) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for word in text.unicode_words() {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    let mut found: Vec<(usize, String)> =
        counts.into_iter().map(|(word, count)| (count * word.chars().count(), word)).collect();
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    found.into_iter().take(5).map(|(_, word)| word).collect()
}

fn is_katakana(c: char) -> bool {
    matches!(c, '\u{30a1}'..='\u{30ff}')
}

/// Of Thai, Lao, Khmer and Burmese.
fn is_letter(c: char) -> bool {
    script(c).is_some_and(|script| script > 1)
}

/// Which writing without spaces a character is of. Hiragana is left out: it joins the words.
fn script(c: char) -> Option<u8> {
    match c {
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{2fa1f}' => Some(0),
        c if is_katakana(c) => Some(1),
        '\u{e01}'..='\u{e4e}' => Some(2),
        '\u{e81}'..='\u{ecd}' => Some(3),
        '\u{1780}'..='\u{17d3}' => Some(4),
        '\u{1000}'..='\u{109f}' => Some(5),
        _ => None,
    }
}

/// Whether a text is for the most part in such a writing.
fn is_unspaced(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    text.chars().filter(|c| script(*c).is_some()).count() * 3 > letters
}
