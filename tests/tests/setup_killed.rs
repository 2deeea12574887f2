//! `make up`, killed at each of its stages and run again, goes on to the end; what stands is stopped and removed without a trace.
//!
//! The stages are not listed here: a first run that is left alone collects their names.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use lifestream_tests::checkout::{script, servers, unique};
use lifestream_tests::guard::Guard;
use lifestream_tests::{binary, extension_library, site_binary};

/// A set-up of its own, as `make up` makes one in `var/`; stopped and removed at the end.
struct Stack {
    var: PathBuf,
    _guard: Guard,
}

/// The port that the bookmarks name is in use as long as these tests run, as it may be on anybody's machine. (So no stack
/// takes it from another that is down for a moment, either.)
fn take_the_usual_port() {
    static TAKEN: OnceLock<Option<TcpListener>> = OnceLock::new();
    TAKEN.get_or_init(|| TcpListener::bind("127.0.0.1:8808").ok());
}

impl Stack {
    fn new(name: &str) -> Self {
        take_the_usual_port();
        let var = servers().join(unique(name));
        let guard = Guard::over("stack", &var);
        Self { var, _guard: guard }
    }

    fn command(&self, name: &str) -> Command {
        let mut command = script(name);
        command
            .env("STACK_VAR", &self.var)
            .env("STACK_LIBRARY", extension_library(15))
            .env("STACK_PROGRAM", binary())
            .env("STACK_SITE", site_binary())
            // A caller's own servers must never be looked at; these cannot even be reached.
            .env("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
            .env("KAFKA_BROKERS", "127.0.0.1:1")
            .env("PGPORT", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A kill of the whole group is what a lost machine, or an impatient user, does.
            .process_group(0);
        command
    }

    fn run(&self, name: &str) -> Output {
        self.command(name).output().unwrap()
    }

    /// Runs a script that must succeed; gives its standard output.
    fn succeed(&self, name: &str) -> String {
        let output = self.run(name);
        assert!(
            output.status.success(),
            "{name}: {}\n{}\n{}",
            output.status,
            text(&output.stdout),
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    fn psql(&self, sql: &str) -> String {
        let environment = self.succeed("env.sh");
        let output = Command::new("bash")
            .args(["-c", "eval \"$1\" && psql \"$DATABASE_URL\" --no-psqlrc -Atc \"$2\"", "psql", &environment, sql])
            .output()
            .unwrap();
        assert!(output.status.success(), "{sql}: {}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    }

    /// Processes that have this set-up's folder in their command line, but for the guard that watches over it.
    fn processes(&self) -> Vec<String> {
        let mark = self.var.to_str().unwrap().to_owned() + "/";
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
            .map(|line| text(&line).replace('\0', " "))
            .filter(|line| line.contains(&mark))
            .collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Links of the demonstration, each counted once: those in its file, and those that it saves in SQL.
fn demo_links() -> usize {
    let read = |name| std::fs::read_to_string(lifestream_tests::checkout::root().join("demo").join(name)).unwrap();
    let html = read("bookmarks.html");
    let urls: BTreeSet<&str> = html
        .split("HREF=\"")
        .skip(1)
        .filter_map(|rest| rest.split(['"', '#']).next())
        // Tracking parameters and the fragment are no part of what a link is.
        .map(|url| url.split("?utm_").next().unwrap())
        .collect();
    urls.len() + read("save.sql").matches("('http://").count()
}

/// What never becomes an entry of the feed: 404, 410, too large, PDF, forbidden by robots.txt, a forbidden address.
const UNFETCHABLE: usize = 6;
/// What fails at every try.
const DEAD: usize = 1;

/// The demonstration has come to its end, in the state, in what was printed and in the files.
fn assert_demonstrated(stack: &Stack, printed: &str) {
    let published = demo_links() - UNFETCHABLE - DEAD;
    let status = "SELECT count(*) FILTER (WHERE status = 'published'), count(*) FILTER (WHERE status = 'unfetchable'),
                         (SELECT count(*) FROM lifestream.dead_letters WHERE status = 'open') FROM lifestream.links";
    assert_eq!(stack.psql(status), format!("{published}|{UNFETCHABLE}|{DEAD}"), "{printed}");
    let counts = printed.lines().find(|line| line.contains("dead-lettered ") && line.contains("links ")).unwrap();
    for (name, count) in
        [("links", demo_links()), ("published", published), ("unfetchable", UNFETCHABLE), ("dead-lettered", DEAD)]
    {
        let words: Vec<&str> = counts.split([' ', ',', ':']).collect();
        let at = words.iter().position(|word| *word == name).unwrap();
        assert_eq!(words[at + 1], count.to_string(), "{name} in {counts}");
    }
    let feed = std::fs::read_to_string(stack.var.join("lifestream/feed/feed.json")).unwrap();
    assert!(feed.contains(".demo.localhost:"), "{feed}");
    // Of the forbidden it shows nothing, and of the hidden folder neither.
    assert_eq!(
        stack.psql("SELECT count(*) FROM lifestream.link_content WHERE text_content LIKE '%Contact Sheets%'"),
        "0"
    );
}

fn stages(stack: &Stack) -> Vec<String> {
    let file = stack.var.with_extension("stages");
    let output = stack.command("up.sh").env("STACK_STAGES", &file).output().unwrap();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    let names = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let mut seen = BTreeSet::new();
    names.lines().filter(|name| seen.insert(name.to_string())).map(str::to_owned).collect()
}

#[test]
fn killed_at_each_stage_it_goes_on() {
    let untouched = Stack::new("untouched");
    let stages = stages(&untouched);
    assert!(stages.len() >= 30, "{stages:?}");
    assert_eq!(untouched.psql("SELECT count(*) FROM lifestream.links"), demo_links().to_string());

    // A second run finds everything there.
    let start = Instant::now();
    let printed = untouched.succeed("up.sh");
    assert!(start.elapsed() < Duration::from_secs(20), "the second run took {:?}", start.elapsed());
    assert_demonstrated(&untouched, &printed);

    // One that is at work makes another wait, and both end well.
    let first = untouched.command("up.sh").spawn().unwrap();
    untouched.succeed("up.sh");
    assert!(first.wait_with_output().unwrap().status.success());

    untouched.succeed("down.sh");
    assert_eq!(untouched.processes(), Vec::<String>::new());
    assert!(!untouched.run("env.sh").status.success(), "nothing runs, so there are no settings to print");

    // What was stopped comes up with its data.
    untouched.succeed("up.sh");
    assert_eq!(untouched.psql("SELECT count(*) FROM lifestream.links"), demo_links().to_string());
    untouched.succeed("clean.sh");
    assert_eq!(untouched.processes(), Vec::<String>::new());
    assert!(!untouched.var.exists());

    let killed = Stack::new("killed");
    for stage in &stages {
        let output = killed.command("up.sh").env("STACK_KILL_AT", stage).output().unwrap();
        assert_eq!(
            output.status.signal(),
            Some(9),
            "{stage}: {}\n{}\n{}",
            output.status,
            text(&output.stdout),
            text(&output.stderr)
        );
    }
    let printed = killed.succeed("up.sh");
    assert_eq!(killed.psql("SELECT count(*) FROM lifestream.links"), demo_links().to_string());
    assert_demonstrated(&killed, &printed);
    let events = "SELECT count(*), count(DISTINCT subject_id) FROM lifestream.events WHERE event_type = 'link.added'";
    let untwisted = killed.psql(events);
    let (all, distinct) = untwisted.split_once('|').unwrap();
    assert!(
        all.parse::<usize>().unwrap() <= demo_links() + 4,
        "an import that was cut off was not imported twice: {untwisted}"
    );
    assert_eq!(distinct, demo_links().to_string());

    // However often it was killed, there is one of each.
    for (kind, mark) in [
        ("PostgreSQL", "/data -p "),
        ("Kafka", "kafka.Kafka"),
        ("lifestream", "/bin/lifestream up"),
        ("the web site", "/bin/lifestream-demo "),
    ] {
        let found: Vec<String> = killed.processes().into_iter().filter(|line| line.contains(mark)).collect();
        assert_eq!(found.len(), 1, "{kind}: {found:?}");
    }
    killed.succeed("down.sh");
    assert_eq!(killed.processes(), Vec::<String>::new());
    leftovers(&killed.var);
}

/// No half-made file or folder is left where a whole one stands.
fn leftovers(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.extension().is_none_or(|extension| extension != "new"), "{}", path.display());
        if path.is_dir() && !path.ends_with("data") && !path.ends_with("server") {
            leftovers(&path);
        }
    }
}

#[test]
fn settings_are_all_that_env_prints() {
    let stack = Stack::new("env");
    let output = stack.run("env.sh");
    assert!(!output.status.success());
    assert_eq!(text(&output.stdout), "");
    assert!(text(&output.stderr).contains("make up"), "{}", text(&output.stderr));

    stack.succeed("up.sh");
    let settings = std::fs::read_to_string(stack.var.join("lifestream/lifestream.toml")).unwrap();
    assert!(!settings.contains("retry"), "the demonstration's haste ends with it: {settings}");
    let printed = stack.succeed("env.sh");
    let names: Vec<&str> = printed.lines().map(|line| line.split('=').next().unwrap()).collect();
    let expected = ["DATABASE_URL", "KAFKA_BROKERS", "GATEWAY_URL", "GATEWAY_TOKEN", "SITE_URL", "PATH"];
    assert_eq!(names, expected.map(|name| format!("export {name}")));
    let found =
        Command::new("bash").args(["-c", "eval \"$1\"; command -v lifestream psql", "env", &printed]).output().unwrap();
    assert_eq!(text(&found.stdout).lines().filter(|line| line.starts_with(stack.var.to_str().unwrap())).count(), 2);

    // What it prints is enough to read the site and to save a link.
    let lines = "eval \"$1\"; curl --noproxy '*' -fsS \"$SITE_URL\" | grep -c '<html'
                 curl --noproxy '*' -fsS \"$GATEWAY_URL/links\" -H \"Authorization: Bearer $GATEWAY_TOKEN\" \
                      -H 'Content-Type: application/json' -d '{\"url\": \"http://127.0.0.1:1/private\", \"title\": \"Private\"}'";
    let asked = Command::new("bash").args(["-c", lines, "env", &printed]).output().unwrap();
    let said = text(&asked.stdout);
    assert!(said.starts_with("1\n") && said.contains("subject_id"), "{said}{}", text(&asked.stderr));
}
