//! Cuts texts to what a model can take in, at the end of a sentence.

use unicode_segmentation::UnicodeSegmentation;

/// How much of a page's text a model is given, in tokens.
///
/// Tags and a short summary do not get better from more, and local servers keep small windows unless told otherwise.
pub fn of(model: &str) -> usize {
    const WIDE: [&str; 9] = ["gpt-4o", "gpt-4.", "gpt-5", "o1", "o3", "o4", "claude", "gemini", "mistral-large"];
    let name = model.rsplit('/').next().unwrap_or(model);
    if WIDE.iter().any(|wide| name.starts_with(wide)) { 12_000 } else { 2_500 }
}

/// The beginning of a text that fits into so many tokens: whole sentences; of a first sentence that is too long for
/// that whole words; of a word that is too long whole characters as people see them.
pub fn cut(text: &str, tokens: usize) -> &str {
    let text = text.trim();
    // What lies beyond cannot be kept in any case and is not looked at: a text may be very long.
    let most = most(text, tokens.saturating_mul(4));
    // Spaces after it cost nothing, for they are not kept. One character more shows an end in that very place.
    let most = text.len() - text[most..].trim_start().len();
    let Some(next) = text[most..].chars().next() else { return text };
    let window = &text[..most + next.len_utf8()];
    let end = last(window.split_sentence_bound_indices(), most)
        .or_else(|| last(window.split_word_bound_indices(), most))
        .or_else(|| last(window.grapheme_indices(true), most));
    text[..end.unwrap_or_default()].trim_end()
}

/// What a text costs, in tokens, roughly and rather too much.
pub fn tokens(text: &str) -> usize {
    text.chars().map(cost).sum::<usize>().div_ceil(4)
}

/// How many bytes of a text can be afforded.
fn most(text: &str, affordable: usize) -> usize {
    let mut spent: usize = 0;
    let affordable = text.char_indices().take_while(|(_, c)| {
        spent = spent.saturating_add(cost(*c));
        spent <= affordable
    });
    affordable.last().map_or(0, |(at, c)| at + c.len_utf8())
}

/// Where the last of these parts begins, and the one before it ends, within the limit.
fn last<'a>(parts: impl Iterator<Item = (usize, &'a str)>, limit: usize) -> Option<usize> {
    parts.map(|(at, _)| at).take_while(|at| *at <= limit).last().filter(|at| *at > 0)
}

/// In quarters of a token: four letters of English are about one, one of Chinese is about one too.
fn cost(c: char) -> usize {
    match c {
        '\0'..='\u{7f}' => 1,
        '\u{80}'..='\u{7ff}' => 2,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cuts_at_the_end_of_a_sentence() {
        let text = "The first one is here. The second follows! Is there a third? No.";
        for (tokens, expected) in [
            (1000, text),
            (16, text),
            (15, "The first one is here. The second follows! Is there a third?"),
            (11, "The first one is here. The second follows!"),
            (10, "The first one is here."),
            (6, "The first one is here."),
            (5, "The first one is"),
            (1, "The"),
            (0, ""),
        ] {
            assert_eq!(cut(text, tokens), expected, "{tokens}");
        }
        assert_eq!(cut("东京是日本的首都。它很大。", 10), "东京是日本的首都。");
        assert_eq!(cut("Ένα. Δύο τρία τέσσερα.", 3), "Ένα.");
    }

    #[test]
    fn a_word_that_is_too_long_is_cut_between_characters() {
        assert_eq!(cut(&"x".repeat(100), 3), "x".repeat(12));
        // A family is one character as people see it, of seven code points: never half of it.
        assert_eq!(cut("👨‍👩‍👧‍👦👨‍👩‍👧‍👦", 8), "👨‍👩‍👧‍👦");
        assert_eq!(cut("👨‍👩‍👧‍👦", 3), "");
    }

    proptest! {
        #[test]
        fn what_is_kept_fits_and_is_the_beginning(text in r"(\PC|[ .!?\n]){0,200}", tokens in 0_usize..60) {
            let kept = cut(&text, tokens);
            prop_assert!(kept.chars().map(cost).sum::<usize>() <= 4 * tokens);
            prop_assert!(text.trim().starts_with(kept));
        }
    }
}
