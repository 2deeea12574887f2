//! The README's commands, run as they stand there.

use std::process::Command;

use crate::bench::{Gateway, PHONE};

/// Runs a line of shell with the gateway's address and token, and gives what it printed.
#[track_caller]
fn shell(gateway: &Gateway, line: &str) -> String {
    let line = line.replace("http://127.0.0.1:8080", &format!("http://{}", gateway.address));
    let output = Command::new("sh").args(["-c", &line]).env("TOKEN", PHONE).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn curl_saves_links_and_events() {
    let gateway = Gateway::start("gw_curl");
    let form = r#"curl -sS http://127.0.0.1:8080/links -H "Authorization: Bearer $TOKEN" --data-urlencode url=https://example.org/a --data-urlencode 'title=A & B' -d tags=reading,rust"#;
    assert!(shell(&gateway, form).contains(r#""url":"https://example.org/a""#));
    let json = r#"curl -sS http://127.0.0.1:8080/links -H "Authorization: Bearer $TOKEN" --json '{"url": "https://example.org/b", "note": "for later"}'"#;
    assert!(shell(&gateway, json).contains("subject_id"));
    let events = r#"curl -sS http://127.0.0.1:8080/events -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: kitchen-2026-01-31T12:00" --json '[{"event_type": "temp.reading_recorded", "subject": "sensor", "subject_id": "kitchen", "payload": {"value": 21.50}}]'"#;
    assert!(shell(&gateway, events).contains("ids"));
    shell(&gateway, events);
    let stored = gateway.database.psql("SELECT string_agg(event_type || ' ' || coalesce(payload ->> 'url', payload ->> 'value'), ', ' ORDER BY seq) FROM lifestream.events");
    assert_eq!(
        stored,
        "link.added https://example.org/a, link.added https://example.org/b, temp.reading_recorded 21.50"
    );
    assert_eq!(shell(&gateway, "curl -sS http://127.0.0.1:8080/livez"), r#"{"status":"alive"}"#);
    // What is larger than allowed is refused before it is sent, or while it is: curl reads the answer either way.
    let large = r#"head -c 3000000 /dev/zero | tr '\0' x | curl -sS http://127.0.0.1:8080/links -H "Authorization: Bearer $TOKEN" --data-binary @- -o - -w ' %{http_code}'"#;
    assert!(shell(&gateway, large).ends_with(" 413"));
    let stream = r#"head -c 3000000 /dev/zero | tr '\0' x | curl -sS http://127.0.0.1:8080/links -H "Authorization: Bearer $TOKEN" -H 'Expect:' -H 'Transfer-Encoding: chunked' --data-binary @- -o - -w ' %{http_code}'"#;
    assert!(shell(&gateway, stream).ends_with(" 413"));
    let stranger = r#"head -c 900000 /dev/zero | curl -sS http://127.0.0.1:8080/links -H 'Expect:' --data-binary @- -o - -w ' %{http_code}'"#;
    assert!(shell(&gateway, stranger).ends_with(" 401"));
}
