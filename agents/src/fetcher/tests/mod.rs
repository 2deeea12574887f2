#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod answers;
mod content;
mod hostile;
mod refetch;
mod robots;
mod server;
mod ssrf;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Mutex;

use super::*;

/// Small enough for tests to meet them.
fn limits() -> Limits {
    Limits {
        resolve: Duration::from_secs(2),
        connect: Duration::from_secs(2),
        idle: Duration::from_secs(1),
        exchange: Duration::from_secs(4),
        whole: Duration::from_secs(30),
        body: 2 << 20,
        robots: 64 << 10,
        parse: Duration::from_secs(30),
        ..Limits::default()
    }
}

/// Allows `allow`; names resolve as `names` says, to loopback where it says nothing.
fn fetcher(allow: &[String], names: Names) -> Fetcher {
    fetcher_with(allow, Box::new(names), limits())
}

fn fetcher_with(allow: &[String], lookup: Box<dyn Lookup>, limits: Limits) -> Fetcher {
    let allow = AllowList::parse(allow).unwrap();
    Fetcher::with(allow, Duration::from_millis(1), limits, lookup).unwrap()
}

/// Names of the tests' own; no name server is asked.
#[derive(Default)]
struct Names {
    answers: HashMap<String, Vec<IpAddr>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    fn new(answers: &[(&str, &[&str])]) -> Self {
        let answers = answers
            .iter()
            .map(|(name, addresses)| ((*name).to_owned(), addresses.iter().map(|a| a.parse().unwrap()).collect()))
            .collect();
        Self { answers, asked: Mutex::default() }
    }
}

#[async_trait]
impl Lookup for Names {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().unwrap().push(name.to_owned());
        match self.answers.get(name) {
            Some(answer) => Ok(answer.clone()),
            None if name.ends_with(".nowhere.test") => Err(io::Error::other("no such name")),
            None => Ok(vec![IpAddr::from([127, 0, 0, 1])]),
        }
    }
}

/// What came of it, short: `fact: <error>`, `text: <beginning>`, `passing: <error>`.
fn told(result: &Result<Value, Failure>) -> String {
    match result {
        Ok(payload) => match payload["fetch_error"].as_str() {
            Some(error) => format!("fact: {error}"),
            None => {
                let text: String = payload["text_content"].as_str().unwrap_or("none").chars().take(60).collect();
                format!("text: {text:?}")
            }
        },
        Err(Failure::Passing { error, .. }) => format!("passing: {error}"),
        Err(other) => format!("{other:?}"),
    }
}
