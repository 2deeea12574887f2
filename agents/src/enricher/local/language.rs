//! Languages: which one a text is in, and what the lists of stop words call it.

use whatlang::Lang;

/// The language that a text is written in, as a code of two letters (three where there is none of two).
pub fn detected(text: &str) -> Option<String> {
    let found = whatlang::detect(text).filter(whatlang::Info::is_reliable)?.lang();
    Some(two_letters(found.code()).unwrap_or(found.code()).to_owned())
}

/// What the lists of stop words call a language, of two letters or three.
pub fn of_stop_words(language: &str) -> &str {
    match two_letters(language).unwrap_or(language) {
        "cs" => "cz",
        "nb" | "nn" => "no",
        known => known,
    }
}

/// ISO 639-1 of the codes of ISO 639-3 that the detection gives, where there is one.
fn two_letters(code: &str) -> Option<&'static str> {
    const CODES: [(Lang, &str); 58] = [
        (Lang::Eng, "en"),
        (Lang::Deu, "de"),
        (Lang::Fra, "fr"),
        (Lang::Spa, "es"),
        (Lang::Ita, "it"),
        (Lang::Por, "pt"),
        (Lang::Nld, "nl"),
        (Lang::Swe, "sv"),
        (Lang::Dan, "da"),
        (Lang::Nob, "no"),
        (Lang::Fin, "fi"),
        (Lang::Pol, "pl"),
        (Lang::Ces, "cs"),
        (Lang::Slk, "sk"),
        (Lang::Slv, "sl"),
        (Lang::Hrv, "hr"),
        (Lang::Srp, "sr"),
        (Lang::Bul, "bg"),
        (Lang::Mkd, "mk"),
        (Lang::Rus, "ru"),
        (Lang::Ukr, "uk"),
        (Lang::Bel, "be"),
        (Lang::Ron, "ro"),
        (Lang::Hun, "hu"),
        (Lang::Ell, "el"),
        (Lang::Tur, "tr"),
        (Lang::Aze, "az"),
        (Lang::Est, "et"),
        (Lang::Lav, "lv"),
        (Lang::Lit, "lt"),
        (Lang::Cat, "ca"),
        (Lang::Lat, "la"),
        (Lang::Epo, "eo"),
        (Lang::Ara, "ar"),
        (Lang::Heb, "he"),
        (Lang::Pes, "fa"),
        (Lang::Urd, "ur"),
        (Lang::Hin, "hi"),
        (Lang::Ben, "bn"),
        (Lang::Mar, "mr"),
        (Lang::Tam, "ta"),
        (Lang::Tel, "te"),
        (Lang::Guj, "gu"),
        (Lang::Kan, "kn"),
        (Lang::Mal, "ml"),
        (Lang::Pan, "pa"),
        (Lang::Ori, "or"),
        (Lang::Nep, "ne"),
        (Lang::Sin, "si"),
        (Lang::Cmn, "zh"),
        (Lang::Jpn, "ja"),
        (Lang::Kor, "ko"),
        (Lang::Tha, "th"),
        (Lang::Vie, "vi"),
        (Lang::Ind, "id"),
        (Lang::Hye, "hy"),
        (Lang::Kat, "ka"),
        (Lang::Afr, "af"),
    ];
    CODES.iter().find(|(language, _)| language.code() == code).map(|(_, two)| *two)
}
