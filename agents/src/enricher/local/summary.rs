//! The sentences of a text that say most of it.

use unicode_segmentation::UnicodeSegmentation;

use crate::enricher::budget;

/// The longest summary, in tokens of [`budget`].
const LONGEST: usize = 100;
/// The most sentences of it.
const SENTENCES: usize = 3;
/// Keywords further down the list tell nothing of a sentence.
const TELLING: usize = 16;
/// What stands further down is not looked at.
const READ: usize = 400;

/// Of a text of plain lines; empty if it has no word.
pub fn of(text: &str, keywords: &[String]) -> String {
    let sentences: Vec<&str> = text.unicode_sentences().map(str::trim).take(READ).collect();
    let mut best: Vec<(usize, f64)> =
        sentences.iter().enumerate().filter_map(|(at, sentence)| Some((at, worth(at, sentence, keywords)?))).collect();
    best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut chosen: Vec<usize> = Vec::new();
    let mut left = LONGEST;
    for (at, _) in best {
        let cost = budget::tokens(sentences[at]);
        if chosen.len() < SENTENCES && cost <= left && !chosen.iter().any(|other| sentences[*other] == sentences[at]) {
            left -= cost;
            chosen.push(at);
        }
    }
    if chosen.is_empty() {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        return Some(budget::cut(&line, LONGEST)).filter(|cut| has_word(cut)).unwrap_or_default().to_owned();
    }
    chosen.sort_unstable();
    let mut summary = String::new();
    for sentence in chosen.into_iter().map(|at| sentences[at]) {
        // Chinese and Japanese put no space between sentences.
        if !summary.is_empty() && !summary.ends_with(['。', '！', '？']) {
            summary.push(' ');
        }
        summary.push_str(sentence);
    }
    summary
}

fn has_word(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// By the keywords that it names, for its length; more at the beginning of the text. `None` for what is no sentence: a
/// heading, a line of a menu, half a page.
fn worth(at: usize, sentence: &str, keywords: &[String]) -> Option<f64> {
    let length = budget::tokens(sentence);
    let closed = sentence.ends_with(['.', '!', '?', '…', '。', '！', '？', '।', '؟', '»', '"', '”', ')']);
    if !(6..=LONGEST).contains(&length) || !closed {
        return None;
    }
    let small = sentence.to_lowercase();
    let named = keywords.iter().take(TELLING).enumerate().filter(|(_, keyword)| small.contains(keyword.as_str()));
    let said: f64 = named.map(|(rank, _)| 1.0 / (1.0 + rank as f64 / 4.0)).sum();
    let place = 1.0 + 1.0 / (1.0 + at as f64);
    Some((0.1 + said) * place / (length as f64).sqrt())
}
