//! Every error, as a problem that names what is wrong.

use std::io::Write;

use crate::bench::{Answer, Gateway, LAPTOP, PHONE, connect, read, send};

/// What a request is answered with, and words of that answer.
struct Case {
    name: &'static str,
    request: Request,
    status: u16,
    words: &'static [&'static str],
}

enum Request {
    /// Path and body, with a token and as JSON.
    Post(&'static str, String),
    /// Path and body, with a token and as a form.
    Form(&'static str, String),
    /// Method, path, headers, body.
    Bare(&'static str, &'static str, Vec<(&'static str, String)>, String),
}
use Request::{Bare, Form, Post};

fn case(name: &'static str, request: Request, status: u16, words: &'static [&'static str]) -> Case {
    Case { name, request, status, words }
}

fn event(members: &str) -> String {
    format!(r#"{{"event_type":"t","subject":"s","subject_id":"i","payload":{{}}{members}}}"#)
}

fn bearer(token: &str) -> (&'static str, String) {
    ("Authorization", format!("Bearer {token}"))
}

fn json() -> (&'static str, String) {
    ("Content-Type", "application/json".to_owned())
}

/// The request's own faults, before the database is asked.
fn shapes() -> Vec<Case> {
    let post = |headers: Vec<(&'static str, String)>| {
        Bare("POST", "/links", headers, r#"{"url":"https://a.example/"}"#.into())
    };
    vec![
        case(
            "no such page",
            Bare("GET", "/nothing", vec![], String::new()),
            404,
            &["there is no \\\"/nothing\\\"", "/openapi.json"],
        ),
        case("a slash too many", Post("/links/", event("")), 404, &["/links/"]),
        case("GET of what is written to", Bare("GET", "/links", vec![], String::new()), 405, &["GET", "/links"]),
        case("PUT", Bare("PUT", "/events", vec![bearer(PHONE), json()], event("")), 405, &["PUT", "/events"]),
        case("POST to what is read", Bare("POST", "/livez", vec![], String::new()), 405, &["POST", "/livez"]),
        case("no token", post(vec![json()]), 401, &["a token is needed", "Authorization: Bearer"]),
        case("an unknown token", post(vec![bearer("0123456789abcdef0123"), json()]), 401, &["not known"]),
        case("an empty token", post(vec![("Authorization", "Bearer ".into()), json()]), 401, &["a token is needed"]),
        case(
            "another scheme",
            post(vec![("Authorization", format!("Basic {PHONE}")), json()]),
            401,
            &["a token is needed"],
        ),
        case("two tokens", post(vec![bearer(PHONE), bearer(LAPTOP), json()]), 401, &["a token is needed"]),
        case(
            "a token in the URL",
            Bare("POST", "/links?token=phone-0123456789abcdef", vec![json()], "{}".into()),
            401,
            &[],
        ),
        case(
            "no content type",
            post(vec![bearer(PHONE)]),
            415,
            &["Content-Type is missing", "application/x-www-form-urlencoded"],
        ),
        case("plain text", post(vec![bearer(PHONE), ("Content-Type", "text/plain".into())]), 415, &["text/plain"]),
        case(
            "a multipart form",
            post(vec![bearer(PHONE), ("Content-Type", "multipart/form-data; boundary=b".into())]),
            415,
            &["multipart"],
        ),
        case("gzip", post(vec![bearer(PHONE), json(), ("Content-Encoding", "gzip".into())]), 415, &["gzip"]),
        case("a form of events", Form("/events", "event_type=t".into()), 415, &["application/json"]),
        case("an empty body", Post("/events", String::new()), 400, &["the body is empty"]),
        case("half a body", Post("/events", r#"{"event_type":"#.into()), 400, &["not JSON", "EOF", "column 14"]),
        case("two bodies", Post("/events", format!("{} {}", event(""), event(""))), 400, &["not JSON", "trailing"]),
        case(
            "a text",
            Post("/events", "\"t\"".into()),
            422,
            &["an event, or an array of events is expected", "string"],
        ),
        case(
            "an array in the array",
            Post("/events", format!("[{},[]]", event(""))),
            422,
            &["an event, which is an object", "#/1"],
        ),
        case("an empty array", Post("/events", "[]".into()), 422, &["the array is empty"]),
        case(
            "too many events",
            Post("/events", format!("[{}]", vec![event(""); 1001].join(","))),
            413,
            &["1001 events", "1000 are allowed"],
        ),
        case(
            "too large a body",
            Post("/events", event(&format!(r#","source":"{}""#, "x".repeat(1 << 20)))),
            413,
            &["1048576 octets"],
        ),
        case(
            "a key of blanks",
            Bare("POST", "/links", vec![bearer(PHONE), json(), ("Idempotency-Key", "a b".into())], "{}".into()),
            400,
            &["Idempotency-Key", "a b"],
        ),
        case("a link of nothing", Post("/links", "{}".into()), 422, &["url is missing", "#/url"]),
        case("an empty url", Form("/links", "url=+&title=t".into()), 422, &["url is missing"]),
        case(
            "two urls",
            Form("/links", "url=https://a.example/&url=https://b.example/".into()),
            422,
            &["url is given twice"],
        ),
        case(
            "a number as url",
            Post("/links", r#"{"url":5}"#.into()),
            422,
            &["url must be a string, it is \\\"5\\\"", "#/url"],
        ),
        case(
            "a tag that is none",
            Post("/links", r#"{"url":"https://a.example/","tags":["a",{"b":1}]}"#.into()),
            422,
            &["tags must be an array of strings", "#/tags"],
        ),
        case(
            "tags of a number",
            Post("/links", r#"{"url":"https://a.example/","tags":1}"#.into()),
            422,
            &["tags must be an array of strings, or one"],
        ),
        case(
            "too many tags",
            Post(
                "/links",
                format!(
                    r#"{{"url":"https://a.example/","tags":"{}"}}"#,
                    (0..101).map(|n| n.to_string()).collect::<Vec<_>>().join(",")
                ),
            ),
            422,
            &["tags has more than 100 entries", "#/tags"],
        ),
        case("a link of an array", Post("/links", "[]".into()), 422, &["a link"]),
        case(
            "an unknown member",
            Post("/links", r#"{"url":"https://a.example/","titel":"t"}"#.into()),
            422,
            &["titel", "url, title, note, tags, tenant"],
        ),
        case("an unknown field", Form("/links", "url=https://a.example/&token=secret".into()), 422, &["token"]),
    ]
}

/// What PostgreSQL refuses, with its SQLSTATE and hint.
fn refusals() -> Vec<Case> {
    let link = |url: &str| format!(r#"{{"url":"{url}"}}"#);
    vec![
        case(
            "no link",
            Post("/links", link("not a url")),
            422,
            &["not the URL of a link", "not a url", "22023", "Give an absolute http or https URL"],
        ),
        case("a script", Post("/links", link("javascript:alert(1)")), 422, &["22023", "its scheme is javascript"]),
        case("a file", Form("/links", "url=file:///etc/passwd".into()), 422, &["its scheme is file"]),
        case("a zero in a text", Post("/links", link("https://a.example/\\u0000")), 422, &["\"22"]),
        case(
            "an unknown key",
            Post("/events", event(r#","sequence":1"#)),
            422,
            &["unknown key \\\"sequence\\\"", "22023", "argument names of emit_event"],
        ),
        case("seq", Post("/events", event(r#","seq":1"#)), 422, &["unknown key \\\"seq\\\""]),
        case("an id that is none", Post("/events", event(r#","id":"x""#)), 422, &["id must be a uuid", "x", "22023"]),
        case(
            "a payload that is none",
            Post("/events", r#"{"event_type":"t","subject":"s","subject_id":"i","payload":[1]}"#.into()),
            422,
            &["payload must be a JSON object", "[1]", "22023"],
        ),
        case(
            "no payload",
            Post("/events", r#"{"event_type":"t","subject":"s","subject_id":"i"}"#.into()),
            422,
            &["payload", "22023"],
        ),
        case("a reserved header", Post("/events", event(r#","headers":{"ce_id":"1"}"#)), 422, &["ce_id", "reserved"]),
        case(
            "headers that are none",
            Post("/events", event(r#","headers":[]"#)),
            422,
            &["headers must be a JSON object"],
        ),
        case("a tenant of a number", Post("/events", event(r#","tenant_id":7"#)), 422, &["tenant_id must be", "7"]),
        case(
            "a time that is none",
            Post("/events", event(r#","occurred_at":"yesterday-ish""#)),
            422,
            &["occurred_at must be a timestamp", "yesterday-ish"],
        ),
        case(
            "too deep",
            Post(
                "/events",
                format!(
                    r#"{{"event_type":"t","subject":"s","subject_id":"i","payload":{{"a":{}}}}}"#,
                    "[".repeat(100_000) + &"]".repeat(100_000)
                ),
            ),
            422,
            &["54001"],
        ),
        case(
            "too large an event",
            Post(
                "/events",
                event(&format!(r#","headers":{{}},"source":"s","payload":{{"t":"{}"}}"#, "x".repeat(950_000))),
            ),
            413,
            &["event is too large", "54000", "lifestream.max_event_bytes", "reference"],
        ),
        case(
            "a version that is not met",
            Post("/events", event(r#","expected_version":7"#)),
            409,
            &[
                "unexpected version",
                "expected_version is 7, actual version is 0",
                "40001",
                "Read the subject's events again",
            ],
        ),
        case("a negative version", Post("/events", event(r#","expected_version":-1"#)), 422, &["-1", "22023"]),
    ]
}

fn send_case(gateway: &Gateway, request: &Request) -> Answer {
    let (method, path, headers, body) = match request {
        Post(path, body) => ("POST", *path, vec![bearer(PHONE), json()], body),
        Form(path, body) => {
            let form = ("Content-Type", "application/x-www-form-urlencoded".to_owned());
            ("POST", *path, vec![bearer(PHONE), form], body)
        }
        Bare(method, path, headers, body) => (*method, *path, headers.clone(), body),
    };
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    gateway.send(method, path, &headers, body.as_bytes())
}

#[test]
fn each_error_is_a_problem_that_names_what_is_wrong() {
    let gateway = Gateway::start("gw_refusals");
    let cases: Vec<Case> = shapes().into_iter().chain(refusals()).collect();
    for case in &cases {
        let answer = send_case(&gateway, &case.request);
        println!("{:<28} {} {}", case.name, answer.status, answer.text().chars().take(150).collect::<String>());
        answer.is_problem(case.status, case.words);
        let problem = answer.json();
        assert!(problem["type"].as_str().unwrap().starts_with("urn:lifestream:problem:"), "{}", case.name);
        assert!(!problem["title"].as_str().unwrap().is_empty() && !problem["detail"].as_str().unwrap().is_empty());
        for inside in ["Event 1 of the array", ".rs", "tokio", "panicked", PHONE] {
            assert!(!answer.text().contains(inside), "{}: {}", case.name, answer.text());
        }
        assert_eq!(answer.header("allow").is_some(), case.status == 405, "{}", case.name);
        assert_eq!(answer.header("www-authenticate").is_some(), case.status == 401, "{}", case.name);
    }
    println!("{} errors, each a problem", cases.len());
    assert_eq!(gateway.events(), 0, "nothing of all that was recorded");
    let log = gateway.program.log();
    assert!(!log.contains("ERROR") && !log.contains(PHONE) && !log.contains("passwd"), "{log}");
}

#[test]
fn an_id_that_is_another_events_is_a_conflict() {
    let gateway = Gateway::start("gw_conflict");
    let id = r#","id":"01890a5d-ac96-774b-bcce-b302099a8057""#;
    let first = gateway.post("/events", &event(id)).id();
    assert_eq!(gateway.post("/events", &event(id)).id(), first, "a repeat is none");
    let other = event(id).replace(r#""event_type":"t""#, r#""event_type":"u""#);
    gateway
        .post("/events", &other)
        .is_problem(409, &["belongs to another event", "23505", &first, "only with its event_type"]);
    gateway.post("/events", &format!("[{},{other}]", event(""))).is_problem(409, &["#/1"]);
    assert_eq!(gateway.events(), 1);
}

#[test]
fn what_users_triggers_refuse_is_the_callers_to_read() {
    let gateway = Gateway::start("gw_trigger");
    gateway.database.psql(
        "CREATE FUNCTION no_s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no events about s here'; END $$;
         CREATE TRIGGER no_s BEFORE INSERT ON lifestream.events FOR EACH ROW WHEN (new.subject = 's') EXECUTE FUNCTION no_s()",
    );
    gateway.post("/events", &event("")).is_problem(422, &["no events about s here", "P0001"]);
}

#[test]
fn other_sites_are_told_nothing() {
    let gateway = Gateway::start("gw_cors");
    let preflight = gateway.send(
        "OPTIONS",
        "/links",
        &[
            ("Origin", "https://evil.example"),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization, content-type"),
        ],
        b"",
    );
    preflight.is_problem(405, &["OPTIONS"]);
    let origin = [("Origin", "https://evil.example")];
    let answers = [
        preflight,
        gateway.post_as(PHONE, "/links", &origin, r#"{"url":"https://example.org/"}"#),
        gateway.send("GET", "/readyz", &origin, b""),
        gateway.send("GET", "/openapi.json", &origin, b""),
        gateway.send("GET", "/save", &origin, b""),
    ];
    for answer in answers {
        assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("access-control")), "{:?}", answer.headers);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    // A form of another site can be posted without a question first, and carries no token.
    let forged = gateway.send(
        "POST",
        "/links",
        &[("Origin", "https://evil.example"), ("Content-Type", "application/x-www-form-urlencoded"), ("Cookie", "a=b")],
        b"url=https://evil.example/",
    );
    forged.is_problem(401, &[]);
    assert_eq!(gateway.events(), 1);
}

#[test]
fn whatever_comes_is_survived() {
    let gateway = Gateway::start("gw_garbage");
    for bytes in [
        &b"\0\0\0"[..],
        b"GET\r\n\r\n",
        b"POST /links HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ] {
        let mut stream = connect(&gateway.address);
        stream.write_all(bytes).unwrap();
        drop(stream.shutdown(std::net::Shutdown::Write));
        let mut answer = Vec::new();
        // Answered by 400, or closed: by either the connection ends.
        drop(std::io::Read::read_to_end(&mut stream, &mut answer));
    }
    let long = format!("/links?{}", "x".repeat(100 << 10));
    let answer = send(&gateway.address, "GET", &long, &[], b"");
    assert!([414, 431].contains(&answer.status), "{}", answer.status);
    // Smuggling: two lengths.
    let mut stream = connect(&gateway.address);
    stream.write_all(b"POST /links HTTP/1.1\r\nHost: g\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}").unwrap();
    assert_eq!(read(stream).status, 400);
    assert_eq!(gateway.send("GET", "/livez", &[], b"").json()["status"], "alive");
}
