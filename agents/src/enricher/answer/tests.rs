#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Answer, &'static str> {
    super::read(text, &KnownTags::default())
}

const GOOD: &str = r#"{"tags":["Rust","Databases"],"summary":"A text about both.","topic":"Storage engines"}"#;

fn good() -> Answer {
    Answer {
        tags: vec!["rust".to_owned(), "databases".to_owned()],
        summary: "A text about both.".to_owned(),
        topic: "Storage engines".to_owned(),
    }
}

#[test]
fn good_answers_are_read_however_they_are_wrapped() {
    for text in [
        GOOD.to_owned(),
        format!("\u{feff}\n {GOOD} \n"),
        format!("```json\n{GOOD}\n```"),
        format!("Sure! Here is the {{JSON}} you asked for:\n\n```\n{GOOD}\n```\nLet me know if {{you}} need more."),
        format!("<think>Perhaps {{\"tags\":[\"x\"]}}? No.</think>{GOOD}"),
        format!(r#"{{"result":{GOOD}}}"#),
        GOOD.replace("tags", "Tags").replace("summary", "SUMMARY"),
        GOOD.replace(r#"["Rust","Databases"]"#, r#""Rust, Databases""#),
        GOOD.replace(r#"["Rust","Databases"]"#, r#"[{"name":"Rust"},{"tag":"Databases","score":0.5},7,null]"#),
        GOOD.replace(r#""A text about both.""#, r#"["A text","about both."]"#),
        GOOD.replace(r#""Storage engines""#, r#"["Storage engines","more"]"#),
        GOOD.replace(r#"{"tags""#, r#"{"subject_id":"link:other","events":[{"type":"link.removed"}],"tags""#),
    ] {
        assert_eq!(read(&text), Ok(good()), "{text}");
    }
}

#[test]
fn bad_answers_are_refused_with_what_is_wrong() {
    let with = |summary: &str| GOOD.replace("A text about both.", summary);
    for (text, expected) in [
        (String::new(), "no JSON object"),
        ("I'm sorry, but I cannot help with that.".to_owned(), "no JSON object"),
        ("null".to_owned(), "no JSON object"),
        ("[]".to_owned(), "no JSON object"),
        ("{}".to_owned(), "no JSON object"),
        (GOOD[..GOOD.len() - 1].to_owned(), "no JSON object"),
        (format!("{GOOD} {GOOD}"), "more than one"),
        (GOOD.replace("\"tags\"", "\"labels\""), "\"tags\" is missing"),
        (GOOD.replace("\"topic\"", "\"subject\""), "\"topic\" is missing"),
        (GOOD.replace("\"summary\"", "\"abstract\""), "\"summary\" is missing"),
        (GOOD.replace(r#"["Rust","Databases"]"#, "[]"), "\"tags\" must be"),
        (GOOD.replace(r#"["Rust","Databases"]"#, "5"), "\"tags\" must be"),
        (GOOD.replace(r#"["Rust","Databases"]"#, r#"["https://evil.example","<b>"]"#), "\"tags\" must be"),
        (GOOD.replace(r#""A text about both.""#, "null"), "\"summary\" is missing"),
        (GOOD.replace(r#""A text about both.""#, "7"), "\"summary\" must be"),
        (with(""), "\"summary\" must be"),
        (with("https://evil.example/only"), "\"summary\" must be"),
        (with("<script></script>"), "\"summary\" must be"),
        (GOOD.replace("Storage engines", "a topic that is rather a whole sentence"), "\"topic\" must be"),
        (GOOD.replace("Storage engines", &"x".repeat(61)), "\"topic\" must be"),
        (format!("{GOOD}{}", " ".repeat(LONGEST)), "too long"),
    ] {
        let complaint = read(&text).unwrap_err();
        assert!(complaint.contains(expected), "{complaint}: {text}");
    }
}

#[test]
fn what_is_kept_is_plain_and_bounded() {
    let long = "This sentence is one of a great many. ".repeat(200);
    let answer = read(&GOOD.replace("A text about both.", &long)).unwrap();
    assert!(answer.summary.len() <= 600 && answer.summary.ends_with("great many."), "{}", answer.summary);
    let dirty = "A <b>text</b>\\u0000 about\\u202e [both](https://evil.example).";
    assert_eq!(read(&GOOD.replace("A text about both.", dirty)).unwrap().summary, "A text about both.");
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic_or_brings_in_what_it_must_not(
        text in r#"(\PC|[{}\[\]",: <>\x00-\x1f]|"tags":|"summary":|"topic":|\["a"\]|"b"){0,40}"#,
    ) {
        if let Ok(answer) = read(&text) {
            prop_assert!((1..=tags::MOST).contains(&answer.tags.len()));
            prop_assert!(!answer.summary.is_empty() && !answer.topic.is_empty());
            let shown = format!("{answer:?}");
            prop_assert!(!shown.contains("://"), "{shown}");
        }
    }
}
