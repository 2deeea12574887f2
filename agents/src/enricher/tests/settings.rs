//! Settings that cannot be worked with are refused by name, and without a secret.

use super::*;

#[test]
fn a_wrong_setting_is_named_and_no_secret_shown() {
    for (base, expected) in [
        ("https://user:hunter2@api.example/v1", "a user name or password"),
        ("https://hunter2@api.example/v1", "a user name or password"),
        ("https://api.example/v1?x=1", "query or fragment"),
        ("https://api.example/v1#x", "query or fragment"),
    ] {
        let settings = settings(&[("OPENAI_API_KEY", KEY), ("OPENAI_BASE_URL", base)]);
        let error = Enricher::new(&settings).map(|_| ()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("OPENAI_BASE_URL") && text.contains(expected), "{text}");
        assert!(!text.contains("hunter2") && !text.contains(KEY) && error.is_setting(), "{text}");
    }
    let error = Enricher::new(&settings(&[("OPENAI_API_KEY", "a\nb")])).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("OPENAI_API_KEY") && !error.contains("a\nb"), "{error}");
}

#[test]
fn addresses_are_completed_and_name_the_lane() {
    for (base, lane) in [
        (None, "api.openai.com:443"),
        (Some("http://127.0.0.1:11434/v1/"), "127.0.0.1:11434"),
        (Some("https://API.example"), "api.example:443"),
        (Some("http://[::1]:8080/v1"), "[::1]:8080"),
    ] {
        let mut pairs = vec![("OPENAI_API_KEY", KEY)];
        pairs.extend(base.map(|base| ("OPENAI_BASE_URL", base)));
        let enricher = Enricher::new(&settings(&pairs)).unwrap();
        let found = crate::runner::Agent::lane(&enricher, &work("x")).unwrap();
        assert_eq!(found, Lane { name: lane.to_owned(), interval: Duration::ZERO });
    }
}

#[tokio::test]
async fn without_a_key_it_works_locally_and_says_so() {
    let enricher = Enricher::new(&settings(&[("OPENAI_MODEL", "gpt-4o-mini")])).unwrap();
    let fact =
        enrich(&enricher, "Bread is baked. A database keeps what it is given. The database is safe.").await.unwrap();
    assert_eq!(fact.payload["model"], "local-extractive-1");
    assert!(fact.payload["tags"].as_array().unwrap().contains(&json!("databases")), "{}", fact.payload);
    assert_eq!(crate::runner::Agent::lane(&enricher, &work("x")), None);
}

#[test]
fn work_without_a_text_is_refused_for_good_and_the_page_is_not_quoted() {
    for payload in [r#"{"fetch_error":"secret words"}"#, r#"{"text_content":null}"#, r#"{"text_content":7}"#] {
        let mut broken = work("x");
        broken.payload = serde_json::value::RawValue::from_string(payload.to_owned()).unwrap();
        let failure = Page::of(&broken).unwrap_err();
        assert!(matches!(&failure, Failure::Permanent { error } if error.contains("text_content")), "{failure:?}");
        assert!(!failure.error().contains("secret words"));
    }
    for metadata in ["null", "7", "[]", r#"{"title":7,"language":[]}"#] {
        let mut odd = work("x");
        let payload = format!(r#"{{"text_content":"A text.","metadata":{metadata}}}"#);
        odd.payload = serde_json::value::RawValue::from_string(payload).unwrap();
        assert_eq!(Page::of(&odd).unwrap(), Page { text: "A text.".to_owned(), title: String::new(), language: None });
    }
}
