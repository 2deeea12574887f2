//! A text's language: what the page says, else what it reads like.

use whatlang::Lang;

/// The language as a BCP 47 tag.
pub fn of(declared: Option<&str>, text: &str) -> Option<String> {
    declared.and_then(tag).or_else(|| guess(text))
}

/// A well-formed tag, in its usual case.
fn tag(text: &str) -> Option<String> {
    let text = text.trim().replace('_', "-");
    let parts: Vec<&str> = text.split('-').collect();
    let well_formed = text.len() <= 35
        && (2..=3).contains(&parts[0].len())
        && parts[0].bytes().all(|b| b.is_ascii_alphabetic())
        && parts[1..]
            .iter()
            .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    let cased = |(at, part): (usize, &&str)| match (at, part.len()) {
        (0, _) => part.to_ascii_lowercase(),
        (_, 2) => part.to_ascii_uppercase(),
        (_, 4) => part[..1].to_ascii_uppercase() + &part[1..].to_ascii_lowercase(),
        _ => part.to_ascii_lowercase(),
    };
    let undetermined = parts[0].eq_ignore_ascii_case("und");
    (well_formed && !undetermined).then(|| parts.iter().enumerate().map(cased).collect::<Vec<_>>().join("-"))
}

/// How much of the text is looked at.
const LOOKED_AT: usize = 20_000;

fn guess(text: &str) -> Option<String> {
    let found = whatlang::detect(&text[..text.floor_char_boundary(LOOKED_AT)]).filter(whatlang::Info::is_reliable)?;
    Some(short(found.lang()).to_owned())
}

/// The two-letter code of ISO 639-1, where there is one: BCP 47 asks for the shortest.
fn short(language: Lang) -> &'static str {
    match language.code() {
        "afr" => "af",
        "aka" => "ak",
        "amh" => "am",
        "ara" => "ar",
        "aze" => "az",
        "bel" => "be",
        "ben" => "bn",
        "bul" => "bg",
        "cat" => "ca",
        "ces" => "cs",
        "cmn" => "zh",
        "cym" => "cy",
        "dan" => "da",
        "deu" => "de",
        "ell" => "el",
        "eng" => "en",
        "epo" => "eo",
        "est" => "et",
        "fin" => "fi",
        "fra" => "fr",
        "guj" => "gu",
        "heb" => "he",
        "hin" => "hi",
        "hrv" => "hr",
        "hun" => "hu",
        "hye" => "hy",
        "ind" => "id",
        "ita" => "it",
        "jav" => "jv",
        "jpn" => "ja",
        "kan" => "kn",
        "kat" => "ka",
        "khm" => "km",
        "kor" => "ko",
        "lat" => "la",
        "lav" => "lv",
        "lit" => "lt",
        "mal" => "ml",
        "mar" => "mr",
        "mkd" => "mk",
        "mya" => "my",
        "nep" => "ne",
        "nld" => "nl",
        "nob" => "nb",
        "ori" => "or",
        "pan" => "pa",
        "pes" => "fa",
        "pol" => "pl",
        "por" => "pt",
        "ron" => "ro",
        "rus" => "ru",
        "sin" => "si",
        "slk" => "sk",
        "slv" => "sl",
        "sna" => "sn",
        "spa" => "es",
        "srp" => "sr",
        "swe" => "sv",
        "tam" => "ta",
        "tel" => "te",
        "tgl" => "tl",
        "tha" => "th",
        "tuk" => "tk",
        "tur" => "tr",
        "ukr" => "uk",
        "urd" => "ur",
        "uzb" => "uz",
        "vie" => "vi",
        "yid" => "yi",
        "zul" => "zu",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_word_counts_else_a_sure_guess() {
        let german =
            "Der Leuchtturmwärter stieg jeden Abend die Treppe hinauf, um das Licht anzuzünden, und sah auf das Meer.";
        for (declared, text, expected) in [
            (Some("de"), "", Some("de")),
            (Some("EN_us"), german, Some("en-US")),
            (Some("zh-hant-tw"), "", Some("zh-Hant-TW")),
            (Some("und"), german, Some("de")),
            (Some("english please"), german, Some("de")),
            (Some("d\u{0}"), german, Some("de")),
            (None, german, Some("de")),
            (None, "ok", None),
            (None, "", None),
        ] {
            assert_eq!(of(declared, text).as_deref(), expected, "{declared:?}");
        }
    }

    #[test]
    fn every_language_that_can_be_guessed_has_its_short_code() {
        for language in Lang::all() {
            assert_eq!(short(*language).len(), 2, "{language:?}");
        }
    }
}
