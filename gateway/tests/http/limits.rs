//! Limits, set low: as the library serves them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU32;
use std::time::Duration;

use lifestream_envelope::settings::Settings;
use lifestream_gateway::{Gateway, Limits};
use lifestream_tests::{Database, Postgres, eventually};
use tokio_util::sync::CancellationToken;

use crate::bench::{Answer, LAPTOP, Lock, PHONE, SOON, connect, read, request, send, waits_for_a_lock, write_tokens};

/// A gateway in this process.
struct Served {
    address: String,
    database: Database<'static>,
    shutdown: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Served {
    fn with(test: &str, limits: Limits) -> Self {
        let database = Postgres::shared().database(test);
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("tokens");
        write_tokens(&tokens, &format!("phone:{PHONE}\nlaptop:{}\n", LAPTOP));
        let flags = crate::bench::environment(&database.url(), Some(&tokens)).into_iter().collect();
        let settings = Settings::load_from(&flags, BTreeMap::new(), folder.path()).unwrap();
        let shutdown = CancellationToken::new();
        let (sender, receiver) = std::sync::mpsc::channel();
        let stop = shutdown.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let gateway = Gateway::open(&settings, limits).await.unwrap();
                sender.send(gateway.address().to_string()).unwrap();
                gateway.serve(stop).await;
            });
        });
        let address = receiver.recv_timeout(SOON).unwrap();
        Self { address, database, shutdown, thread: Some(thread), _folder: folder }
    }

    fn post(&self, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        send(&self.address, "POST", "/links", &headers, br#"{"url":"https://example.org/"}"#)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[test]
fn who_asks_too_often_is_told_when_to_go_on() {
    let few = NonZeroU32::new(3).unwrap();
    let served = Served::with("gw_rate", Limits { rate: NonZeroU32::MIN, burst: few, ..Limits::default() });
    assert_eq!(served.post(PHONE).status, 201);
    let refused = (0..1000).map(|_| served.post(PHONE)).find(|answer| answer.status != 201).expect("it is too often");
    refused.is_problem(429, &["phone sends more than 1 requests a second", "POST /events takes an array"]);
    assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    assert_eq!(served.post(LAPTOP).status, 201, "the others are not touched");
    eventually(SOON, "it goes on", || served.post(PHONE).status == 201);
}

/// A request of that token whose body is still to come, but for its first octet.
fn slow_body(served: &Served, token: &str) -> TcpStream {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let whole = request("POST", "/links", &headers, br#"{"url":"https://example.org/"}"#);
    let body = whole.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 5;
    let mut stream = connect(&served.address);
    stream.write_all(&whole[..body]).unwrap();
    stream
}

/// The same, without its first octet, once the gateway has begun to wait for the body.
fn awaited_body(served: &Served, token: &str) -> (TcpStream, &'static [u8]) {
    const BODY: &[u8] = br#"{"url":"https://example.org/"}"#;
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
        // The answer to this comes when the body is first asked for.
        ("Expect", "100-continue"),
    ];
    let whole = request("POST", "/links", &headers, BODY);
    let mut stream = connect(&served.address);
    stream.write_all(&whole[..whole.len() - BODY.len()]).unwrap();
    let mut told = [0; 25];
    stream.read_exact(&mut told).unwrap();
    assert_eq!(told, *b"HTTP/1.1 100 Continue\r\n\r\n");
    (stream, BODY)
}

#[test]
fn more_requests_than_can_be_served_are_sent_away_and_health_is_not() {
    let served = Served::with("gw_busy", Limits { requests: 1, ..Limits::default() });
    let lock = Lock::hold(&served.database);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| served.post(LAPTOP));
        waits_for_a_lock(&served.database, 1);
        let busy = served.post(PHONE);
        busy.is_problem(503, &["busy", "1 requests are under way"]);
        assert_eq!(busy.header("retry-after"), Some("1"));
        assert_eq!(send(&served.address, "GET", "/livez", &[], b"").status, 200);
        assert_eq!(send(&served.address, "GET", "/readyz", &[], b"").status, 200);
        lock.release();
        assert_eq!(first.join().unwrap().status, 201);
    });
    eventually(SOON, "the place is free again", || served.post(PHONE).status == 201);
}

#[test]
fn bodies_that_do_not_come_take_nobodys_place() {
    // They never come, as far as this test goes.
    let limits = Limits { requests: 2, share: 2, body_time: 10 * SOON, ..Limits::default() };
    let served = Served::with("gw_slow_bodies", limits);
    let mut slow: Vec<_> = (0..2).map(|_| awaited_body(&served, PHONE)).collect();
    let busy = served.post(PHONE);
    busy.is_problem(429, &["too-many-requests", "phone has 2 requests under way"]);
    assert_eq!(busy.header("retry-after"), Some("1"));
    assert_eq!(served.post(LAPTOP).status, 201, "as many as there are places for, and the others are served");
    // One comes after all.
    let (mut stream, body) = slow.pop().unwrap();
    stream.write_all(body).unwrap();
    assert_eq!(read(stream).status, 201);
    eventually(SOON, "the token has a place again", || served.post(PHONE).status == 201);
}

#[test]
fn one_tokens_connections_leave_room_for_the_others() {
    let limits = Limits { share: 2, sockets: 8, body_time: 10 * SOON, header_time: 10 * SOON, ..Limits::default() };
    let served = Served::with("gw_sockets", limits);
    // Twice as many as there may be: those beyond the token's share are sent away, and their connections with them.
    let slow: Vec<_> = (0..16).map(|_| slow_body(&served, PHONE)).collect();
    assert_eq!(served.post(LAPTOP).status, 201);
    drop(slow);
}

#[test]
fn one_tokens_requests_wait_for_the_database_by_themselves() {
    let limits = Limits { requests: 3, share: 2, patience: 10 * SOON, ..Limits::default() };
    let served = Served::with("gw_share", limits);
    let lock = Lock::hold(&served.database);
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..2).map(|_| scope.spawn(|| served.post(PHONE))).collect();
        waits_for_a_lock(&served.database, 2);
        served.post(PHONE).is_problem(429, &["phone has 2 requests under way"]);
        let other = scope.spawn(|| served.post(LAPTOP));
        waits_for_a_lock(&served.database, 3);
        lock.release();
        assert!(waiting.into_iter().chain([other]).all(|answer| answer.join().unwrap().status == 201));
    });
}

#[test]
fn a_body_and_headers_that_do_not_come_are_not_waited_for() {
    let soon = Duration::from_secs(1);
    let served = Served::with("gw_slow", Limits { body_time: soon, header_time: soon, ..Limits::default() });
    let bearer = format!("Bearer {PHONE}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json"), ("Content-Length", "100")];
    let mut slow = connect(&served.address);
    slow.write_all(&request("POST", "/links", &headers, b"{")).unwrap();
    read(slow).is_problem(408, &["did not come", "1 octets did"]);

    for start in [&b""[..], b"POST /links HTTP/1.1\r\nHost: g\r\n"] {
        let mut silent = connect(&served.address);
        silent.write_all(start).unwrap();
        let mut rest = Vec::new();
        silent.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&rest));
    }
    assert_eq!(served.post(PHONE).status, 201);
    assert_eq!(served.database.psql("SELECT count(*) FROM lifestream.events"), "1");
}

#[test]
fn with_every_connection_in_use_a_request_waits_no_longer_than_told() {
    let served =
        Served::with("gw_pool", Limits { connections: 1, patience: Duration::from_millis(300), ..Limits::default() });
    let lock = Lock::hold(&served.database);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| served.post(PHONE));
        waits_for_a_lock(&served.database, 1);
        let second = served.post(PHONE);
        second.is_problem(503, &["every connection to the database is in use"]);
        assert_eq!(second.header("retry-after"), Some("1"));
        lock.release();
        assert_eq!(first.join().unwrap().status, 201);
    });
    assert_eq!(served.post(PHONE).status, 201);
}
