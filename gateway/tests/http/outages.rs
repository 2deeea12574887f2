//! PostgreSQL goes and comes, callers hang up, and the gateway is told to end.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use lifestream_tests::{Postgres, eventually};

use crate::bench::{Gateway, Lock, PHONE, SOON, connect, request, send, waits_for_a_lock};

const LINK: &str = r#"{"url":"https://example.org/"}"#;

/// A server of this test alone: it will be stopped. It lives as long as the test program.
fn own_server() -> &'static Postgres {
    Box::leak(Box::new(Postgres::start()))
}

#[test]
fn while_postgres_is_away_it_says_so_and_comes_back_by_itself() {
    let server = own_server();
    let database = server.database("gw_outage");
    let url = database.url();
    server.stop_immediate();
    // It starts without one, too.
    let gateway = Gateway::start_with(database, &url);
    let away = gateway.with_key("k", "/links", LINK);
    away.is_problem(503, &["database-away", "cannot be reached", "Idempotency-Key"]);
    assert_eq!(away.header("retry-after"), Some("5"));
    for inside in ["127.0.0.1", "refused", "postgres:"] {
        assert!(!away.text().contains(inside), "{}", away.text());
    }
    gateway.send("GET", "/readyz", &[], b"").is_problem(503, &["PostgreSQL cannot be reached"]);
    let verbose = gateway.send("GET", "/readyz?verbose", &[], b"");
    verbose.is_problem(503, &[r#""name":"postgres","ok":false"#, r#""name":"serving","ok":true"#]);
    assert_eq!(gateway.send("GET", "/livez", &[], b"").status, 200);

    server.start_again();
    eventually(SOON, "it works again by itself", || gateway.with_key("k", "/links", LINK).status == 201);
    eventually(SOON, "and says so", || gateway.send("GET", "/readyz", &[], b"").status == 200);
    assert_eq!(gateway.events(), 1);
    let log = gateway.program.log();
    assert_eq!(log.matches("cannot be reached").count(), 1, "said once: {log}");
    assert!(log.contains("gateway: works again"), "{log}");
    assert!(!log.contains(&server.password()), "{log}");

    // A connection that broke while nobody used it is nobody's trouble.
    server.restart();
    assert_eq!(gateway.post("/links", LINK).status, 201);
    server.terminate_backends();
    assert_eq!(gateway.post("/links", LINK).status, 201);
    assert_eq!(gateway.events(), 3);
}

#[test]
fn what_is_answered_is_there_once_however_often_connections_break() {
    let server = own_server();
    let database = server.database("gw_breaks");
    let url = database.url();
    let gateway = Gateway::start_with(database, &url);
    let done = AtomicBool::new(false);
    let broken = std::thread::scope(|scope| {
        let breaker = scope.spawn(|| {
            let mut broken = 0;
            while !done.load(Ordering::SeqCst) {
                broken += server.terminate_backends();
            }
            broken
        });
        let callers: Vec<_> = (0..4)
            .map(|caller| {
                let gateway = &gateway;
                scope.spawn(move || {
                    for n in 0..25 {
                        let key = format!("{caller}-{n}");
                        eventually(SOON, "recorded at last", || {
                            let answer = gateway.with_key(&key, "/links", LINK);
                            assert!([201, 503].contains(&answer.status), "{}", answer.text());
                            answer.status == 201
                        });
                    }
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        done.store(true, Ordering::SeqCst);
        breaker.join().unwrap()
    });
    assert_eq!(gateway.events(), 100);
    println!("{broken} sessions ended while 100 links were saved: each is there once");
}

#[test]
fn a_database_without_the_extension_is_told_apart() {
    let database = Postgres::shared().empty_database("gw_bare");
    let url = database.url();
    let gateway = Gateway::start_with(database, &url);
    gateway.send("GET", "/readyz", &[], b"").is_problem(503, &["extension pg_lifestream", "lifestream_emitter"]);
    gateway.post("/links", LINK).is_problem(503, &["database-away"]);
    gateway.database.psql("CREATE EXTENSION pg_lifestream");
    eventually(SOON, "ready by itself", || gateway.send("GET", "/readyz", &[], b"").status == 200);
    assert_eq!(gateway.post("/links", LINK).status, 201);
}

#[test]
fn told_to_end_it_finishes_what_is_under_way_and_takes_nothing_new() {
    let gateway = Gateway::start("gw_drain");
    assert_eq!(gateway.send("GET", "/readyz", &[], b"").json()["status"], "ready");
    let lock = Lock::hold(&gateway.database);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| gateway.post("/links", LINK));
        waits_for_a_lock(&gateway.database, 1);
        gateway.program.signal("TERM");
        eventually(SOON, "no longer ready", || {
            gateway.send("GET", "/readyz?verbose", &[], b"").text().contains("shutting down")
        });
        gateway.send("GET", "/readyz", &[], b"").is_problem(503, &["shutting down"]);
        let refused = gateway.post("/links", LINK);
        refused.is_problem(503, &["draining"]);
        assert!(refused.header("retry-after").is_some());
        assert_eq!(gateway.send("GET", "/livez", &[], b"").status, 200);
        lock.release();
        assert_eq!(slow.join().unwrap().status, 201);
    });
    let Gateway { program, database, .. } = gateway;
    assert_eq!(program.wait(SOON).code(), Some(0));
    assert_eq!(database.psql("SELECT count(*) FROM lifestream.events"), "1");
}

#[test]
fn who_hangs_up_has_saved_his_link_all_the_same() {
    let gateway = Gateway::start("gw_hang_up");
    let lock = Lock::hold(&gateway.database);
    let bearer = format!("Bearer {PHONE}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let mut caller = connect(&gateway.address);
    caller.write_all(&request("POST", "/links", &headers, LINK.as_bytes())).unwrap();
    waits_for_a_lock(&gateway.database, 1);
    drop(caller);
    lock.release();
    eventually(SOON, "the link is saved", || gateway.events() == 1);
}

#[test]
fn a_port_that_is_taken_and_a_wrong_password_end_it_with_their_names() {
    let gateway = Gateway::start("gw_taken");
    let mut environment = crate::bench::environment(&gateway.database.url(), Some(&gateway.tokens));
    environment[1].1.clone_from(&gateway.address);
    let finished = lifestream_tests::Program::run_with(&["gateway"], &environment, b"");
    assert_eq!(finished.status.code(), Some(1));
    let words = format!("LIFESTREAM_GATEWAY_LISTEN={}", gateway.address);
    assert!(finished.stderr.contains(&words) && finished.stderr.contains("in use"), "{}", finished.stderr);

    let password = gateway.database.postgres.password();
    let wrong = gateway.database.url().replace(&password, "wrong-password");
    let environment = crate::bench::environment(&wrong, Some(&gateway.tokens));
    let finished = lifestream_tests::Program::run_with(&["gateway"], &environment, b"");
    assert_eq!(finished.status.code(), Some(78));
    assert!(
        finished.stderr.contains("DATABASE_URL") && !finished.stderr.contains("wrong-password"),
        "{}",
        finished.stderr
    );
}

#[test]
fn several_gateways_share_a_database() {
    let gateway = Gateway::start("gw_several");
    let second = crate::bench::spawn(&gateway.database.url(), Some(&gateway.tokens));
    let address = crate::bench::address(&second);
    let bearer = format!("Bearer {PHONE}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json"), ("Idempotency-Key", "k")];
    let ids: BTreeSet<String> = (0..4)
        .map(|n| {
            send(if n % 2 == 0 { &gateway.address } else { &address }, "POST", "/links", &headers, LINK.as_bytes()).id()
        })
        .collect();
    assert_eq!((ids.len(), gateway.events()), (1, 1));
}
