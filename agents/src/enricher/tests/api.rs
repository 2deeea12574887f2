//! An API that answers well, badly, slowly, with refusals, and not at all.

use jiff::Timestamp;

use super::scripted::{Act, Server, completion};
use super::*;

const GOOD: &str =
    r#"{"tags":["Database","storage engines"],"summary":"How a log keeps data safe.","topic":"Databases"}"#;
const LONG: Duration = Duration::from_secs(20);
const TEXT: &str = "A database writes a log. The log keeps it safe.";

fn say(text: &str) -> Act {
    Act::Say(text.to_owned())
}

fn refuse(status: u16, body: &str) -> Act {
    Act::Answer(status, vec![], body.to_owned())
}

#[tokio::test]
async fn a_good_answer_becomes_the_fact() {
    let server = Server::start(|_, _| say(GOOD)).await;
    let enricher = enricher(&server.base, LONG);
    let fact = enrich(&enricher, TEXT).await.unwrap();
    assert_eq!(fact.event_type, "enrichment.completed");
    assert_eq!(
        fact.payload,
        json!({
            "tags": ["databases", "storage-engines"], "summary": "How a log keeps data safe.", "topic": "Databases",
            "model": MODEL, "language": "en",
            "text_digest": Page { text: TEXT.to_owned(), title: String::new(), language: None }.digest(),
        })
    );
    let asked = server.asked();
    let [asked] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(asked.path, "/v1/chat/completions");
    assert_eq!(asked.headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!((asked.body["model"].as_str(), asked.body["temperature"].as_u64()), (Some(MODEL), Some(0)));
    assert!(asked.told().contains(TEXT) && asked.told().contains("Title: A title"), "{}", asked.told());
    assert!(asked.told().contains("Rust, databases"), "the known tags are offered: {}", asked.told());
    let lane = Lane { name: asked.headers["host"].to_str().unwrap().to_owned(), interval: Duration::ZERO };
    assert_eq!(crate::runner::Agent::lane(&enricher, &work(TEXT)), Some(lane));
}

#[tokio::test]
async fn a_bad_answer_is_asked_for_again_with_what_is_wrong() {
    for (bad, complaint) in [
        ("I'm sorry, but I can't help with that.", "no JSON object"),
        ("{\"tags\":[", "no JSON object"),
        (r#"{"tags":[],"summary":"a b","topic":"c"}"#, "\"tags\" must be"),
        (r#"{"tags":["a"],"topic":"c"}"#, "\"summary\" is missing"),
        (r#"{"tags":["a"],"summary":"https://evil.example","topic":"c"}"#, "\"summary\" must be"),
        ("", "no JSON object"),
    ] {
        let server = Server::start(move |number, _| say(if number < 2 { bad } else { GOOD })).await;
        let fact = enrich(&enricher(&server.base, LONG), TEXT).await.unwrap();
        assert_eq!(fact.payload["topic"], "Databases");
        let asked = server.asked();
        assert_eq!(asked.len(), 3);
        assert!(!asked[0].told().contains("cannot be used"));
        assert!(asked[1].told().contains(complaint) && asked[2].told().contains(complaint), "{}", asked[1].told());
    }
}

#[tokio::test]
async fn an_answer_that_stays_bad_ends_its_task_and_quotes_nothing() {
    let server = Server::start(|_, _| say("I refuse: the page says hunter2.")).await;
    let failure = enrich(&enricher(&server.base, LONG), TEXT).await.unwrap_err();
    let Failure::Permanent { error } = &failure else { panic!("{failure:?}: it would count against the API") };
    assert_eq!(server.asked().len(), 3);
    assert!(error.contains("asked 3 times") && !error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn an_answer_without_room_for_its_end_is_asked_for_more_briefly() {
    let cut = r#"{"choices":[{"message":{"content":"{\"tags\":[\"a"},"finish_reason":"length"}]}"#;
    let server = Server::start(move |number, _| if number == 0 { refuse(200, cut) } else { say(GOOD) }).await;
    enrich(&enricher(&server.base, LONG), TEXT).await.unwrap();
    assert!(server.asked()[1].told().contains("be brief"));
}

#[tokio::test]
async fn what_is_no_chat_completion_is_the_apis_fault() {
    for body in ["", "<html>proxy</html>", "{}", r#"{"error":{"message":"overloaded"}}"#, r#"{"choices":[]}"#] {
        let server = Server::start(move |_, _| refuse(200, body)).await;
        let failure = enrich(&enricher(&server.base, LONG), TEXT).await.unwrap_err();
        assert!(matches!(failure, Failure::Passing { not_before: None, .. }), "{failure:?}");
        assert_eq!(server.asked().len(), 1);
    }
    let huge = Server::start(|_, _| Act::Answer(200, vec![], completion(&"x".repeat(2_000_000)))).await;
    let failure = enrich(&enricher(&huge.base, LONG), TEXT).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Passing { error, .. } if error.contains("more than 1048576 bytes")),
        "{failure:?}"
    );
}

#[tokio::test]
async fn too_many_requests_are_waited_out_as_long_as_the_api_says() {
    for (status, wait) in [(429, Some("120")), (503, Some("120")), (429, None), (500, None), (529, None)] {
        let headers: Vec<_> = wait.iter().map(|wait| ("retry-after", (*wait).to_owned())).collect();
        let server =
            Server::start(move |_, _| Act::Answer(status, headers.clone(), r#"{"error":{"type":"busy"}}"#.to_owned()))
                .await;
        let failure = enrich(&enricher(&server.base, LONG), TEXT).await.unwrap_err();
        let Failure::Passing { error, not_before, .. } = failure else { panic!("{failure:?}") };
        assert!(error.contains(&format!("answers {status} busy")), "{error}");
        let waits = not_before.map(|at| at.duration_since(Timestamp::now()).as_secs());
        assert!(if wait.is_some() { matches!(waits, Some(100..=120)) } else { waits.is_none() }, "{waits:?}");
        assert_eq!(server.asked().len(), 1, "the runner waits, not the agent");
    }
}

#[tokio::test]
async fn a_wrong_key_passes_and_says_which_setting_to_look_at() {
    for status in [401, 403] {
        let body = format!(r#"{{"error":{{"message":"Incorrect API key provided: {KEY}","code":"invalid_api_key"}}}}"#);
        let server = Server::start(move |_, _| refuse(status, &body)).await;
        let failure = enrich(&enricher(&server.base, LONG), TEXT).await.unwrap_err();
        assert!(matches!(&failure, Failure::Passing { error, .. } if error.contains("OPENAI_API_KEY")), "{failure:?}");
        assert!(!format!("{failure:?}").contains(KEY));
    }
}

#[tokio::test]
async fn an_api_that_is_slow_silent_or_away_is_waited_for_no_longer_than_it_may_take() {
    let short = Duration::from_millis(300);
    for act in [|| Act::Hang, || Act::Stall] {
        let server = Server::start(move |_, _| act()).await;
        let failure = enrich(&enricher(&server.base, short), TEXT).await.unwrap_err();
        assert!(
            matches!(&failure, Failure::Passing { error, .. } if error.ends_with("gave no answer in time")),
            "{failure:?}"
        );
    }
    let gone = Server::start(|_, _| Act::Hang).await.base.clone();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    for base in [gone, free] {
        let failure = enrich(&enricher(&base, LONG), TEXT).await.unwrap_err();
        assert!(
            matches!(&failure, Failure::Passing { error, .. } if error.contains("cannot be reached")),
            "{failure:?}"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Server::start(|_, _| say(GOOD)).await;
    let to = format!("{}/chat/completions", other.base);
    for status in [301, 302, 307, 308] {
        let to = to.clone();
        let server =
            Server::start(move |_, _| Act::Answer(status, vec![("location", to.clone())], String::new())).await;
        let failure = enrich(&enricher(&server.base, LONG), TEXT).await.unwrap_err();
        assert!(matches!(&failure, Failure::Passing { error, .. } if error.contains("redirect")), "{failure:?}");
    }
    assert!(other.asked().is_empty(), "the key went to a host that nobody configured");
}

#[tokio::test]
async fn a_text_that_is_too_long_is_halved_at_sentences_then_given_up() {
    let text = "This sentence is one of very many. ".repeat(2_000);
    let too_long = r#"{"error":{"code":"context_length_exceeded","message":"too long"}}"#;
    let fits = Server::start(move |number, _| if number < 2 { refuse(400, too_long) } else { say(GOOD) }).await;
    enrich(&enricher(&fits.base, LONG), &text).await.unwrap();
    let given: Vec<usize> = fits
        .asked()
        .iter()
        .map(|asked| {
            let (_, page) = asked.messages().pop().unwrap();
            assert!(page.contains("many.\n</data-"), "cut at a sentence's end");
            page.matches("very many.").count()
        })
        .collect();
    assert!(given[0] > 200 && given[0] < 2_000, "{given:?}");
    assert!(given[1].abs_diff(given[0] / 2) <= 1 && given[2].abs_diff(given[1] / 2) <= 1, "{given:?}");

    let never = Server::start(move |_, _| refuse(413, "")).await;
    let failure = enrich(&enricher(&never.base, LONG), &text).await.unwrap_err();
    assert!(matches!(&failure, Failure::Permanent { error } if error.contains("halved 3 times")), "{failure:?}");
    assert_eq!(never.asked().len(), 4);
}

#[tokio::test]
async fn what_a_model_does_not_take_is_left_out_from_then_on() {
    let server = Server::start(|_, asked| {
        let refused = ["temperature", "max_tokens"].into_iter().find(|name| asked.body.get(name).is_some());
        match refused {
            Some(name) => refuse(400, &json!({"error": {"param": name, "message": "Unsupported"}}).to_string()),
            None => say(GOOD),
        }
    })
    .await;
    let enricher = enricher(&server.base, LONG);
    enrich(&enricher, TEXT).await.unwrap();
    enrich(&enricher, TEXT).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked.len(), 4, "three for the first page, one for the second");
    assert_eq!(asked[3].body["max_completion_tokens"], 2000);
    let strange = Server::start(|_, _| refuse(400, r#"{"error":{"param":"messages"}}"#)).await;
    let failure = enrich(&super::enricher(&strange.base, LONG), TEXT).await.unwrap_err();
    assert!(matches!(failure, Failure::Permanent { .. }), "{failure:?}");
}

#[tokio::test]
async fn a_page_without_words_is_not_asked_about() {
    let server = Server::start(|_, _| say(GOOD)).await;
    let fact = enrich(&enricher(&server.base, LONG), " …\n👍 ").await.unwrap();
    assert_eq!(
        (&fact.payload["model"], &fact.payload["summary"]),
        (&json!(crate::enricher::LOCAL_MODEL), &json!("A title"))
    );
    assert!(server.asked().is_empty());
}
