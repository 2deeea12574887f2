//! A gateway for one test, and a caller who speaks HTTP/1.1 by hand. Every answer is held against the gateway's own OpenAPI
//! document.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use lifestream_tests::{Database, Postgres, Program, eventually};
use serde_json::Value;

use crate::document::Document;

pub const SOON: Duration = Duration::from_secs(60);
pub const PHONE: &str = "phone-0123456789abcdef";
pub const LAPTOP: &str = "laptop-0123456789abcdef";
/// Bound to the tenant `home`.
pub const HOME: &str = "home-0123456789abcdef";

/// The real program, on a port of its own and with a database of its own.
pub struct Gateway {
    pub program: Program,
    pub address: String,
    pub database: Database<'static>,
    pub tokens: PathBuf,
    document: OnceLock<Document>,
    _folder: tempfile::TempDir,
}

impl Gateway {
    pub fn start(test: &str) -> Self {
        let database = Postgres::shared().database(test);
        let url = database.url();
        Self::start_with(database, &url)
    }

    /// With another account than the database's owner.
    pub fn start_with(database: Database<'static>, url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("tokens");
        write_tokens(&tokens, &format!("phone:{PHONE}\nlaptop:{LAPTOP}\nhome:{HOME}:home\n"));
        let program = spawn(url, Some(&tokens));
        let address = address(&program);
        Self { program, address, database, tokens, document: OnceLock::new(), _folder: folder }
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let answer = send(&self.address, method, path, headers, body);
        self.hold(method, path, &answer);
        answer
    }

    /// Every answer must be one that the document describes.
    pub fn hold(&self, method: &str, path: &str, answer: &Answer) {
        let document =
            self.document.get_or_init(|| Document::new(&send(&self.address, "GET", "/openapi.json", &[], b"").json()));
        document.check(method, path, answer);
    }

    /// As the phone, with JSON.
    pub fn post(&self, path: &str, body: &str) -> Answer {
        self.post_as(PHONE, path, &[], body)
    }

    pub fn post_as(&self, token: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let mut all = vec![("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        all.extend(headers);
        self.send("POST", path, &all, body.as_bytes())
    }

    pub fn with_key(&self, key: &str, path: &str, body: &str) -> Answer {
        self.post_as(PHONE, path, &[("Idempotency-Key", key)], body)
    }

    pub fn events(&self) -> usize {
        self.database.psql("SELECT count(*) FROM lifestream.events").parse().unwrap()
    }
}

/// Holds the table of events: whoever emits waits.
pub struct Lock {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Lock {
    pub fn hold(database: &Database<'_>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(database.connect());
        runtime.block_on(client.batch_execute("BEGIN; LOCK TABLE lifestream.events IN ACCESS EXCLUSIVE MODE")).unwrap();
        Self { runtime, client }
    }

    pub fn release(self) {
        self.runtime.block_on(self.client.batch_execute("COMMIT")).unwrap();
    }
}

/// Until so many statements of the gateway wait for a lock that the test holds.
pub fn waits_for_a_lock(database: &Database<'_>, statements: usize) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'lifestream gateway' AND wait_event_type = 'Lock'";
    eventually(SOON, "the gateway waits for the lock", || database.psql(sql) == statements.to_string());
}

/// `lifestream gateway`, with what is given for its tokens.
pub fn spawn(url: &str, tokens: Option<&PathBuf>) -> Program {
    Program::spawn(&["gateway"], &environment(url, tokens))
}

pub fn environment(url: &str, tokens: Option<&PathBuf>) -> Vec<(String, String)> {
    let mut environment = vec![
        ("DATABASE_URL".to_owned(), url.to_owned()),
        ("LIFESTREAM_GATEWAY_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
    ];
    if let Some(tokens) = tokens {
        environment.push(("LIFESTREAM_GATEWAY_TOKENS_FILE".to_owned(), tokens.display().to_string()));
    }
    environment
}

/// Where it says that it listens.
pub fn address(program: &Program) -> String {
    let said = || {
        let log = program.log();
        let (_, rest) = log.split_once("listening on http://")?;
        rest.split_once(',').map(|(address, _)| address.to_owned())
    };
    eventually(SOON, "the gateway listens", || said().is_some());
    said().unwrap()
}

pub fn write_tokens(path: &PathBuf, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The id of what was recorded.
    #[track_caller]
    pub fn id(&self) -> String {
        assert_eq!(self.status, 201, "{}", self.text());
        self.json()["id"].as_str().unwrap().to_owned()
    }

    /// A problem of that status, in whose text all of these stand.
    #[track_caller]
    pub fn is_problem(&self, status: u16, words: &[&str]) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["status"], status);
        for word in words {
            assert!(self.text().contains(word), "{word} in {}", self.text());
        }
    }
}

pub fn send(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = connect(address);
    stream.write_all(&request(method, path, headers, body)).unwrap();
    read(stream)
}

pub fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    let mut bytes = (text + "\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The answer, to the end of the connection.
pub fn read(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_else(|| {
        panic!("no HTTP answer: {}", String::from_utf8_lossy(&bytes));
    });
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
        .collect();
    Answer { status, headers, body: bytes[end + 4..].to_vec() }
}
