//! The built `lifestream`, run as a user runs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::checkout::{root, target};
use crate::spawner;

/// A running program; dropped, it is killed.
pub struct Program {
    name: String,
    process: Child,
    log: Arc<Mutex<String>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

/// What a program left that ran to its end.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Program {
    /// Starts `lifestream` with these arguments. Of the environment of the tests it sees nothing that is a setting of ours,
    /// only what is given here.
    pub fn spawn(arguments: &[&str], environment: &[(String, String)]) -> Self {
        Self::of(&format!("lifestream {}", arguments.join(" ")), command(arguments, environment))
    }

    /// Starts any other command under this name.
    pub fn of(name: &str, command: Command) -> Self {
        let mut process = spawner::spawn(command).unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let log = Arc::new(Mutex::new(String::new()));
        drop(process.stdin.take());
        let readers = vec![
            collect(process.stdout.take().expect("a pipe"), &log),
            collect(process.stderr.take().expect("a pipe"), &log),
        ];
        Self { name: name.to_owned(), process, log, readers }
    }

    /// Runs `lifestream` to its end, with this on its standard input.
    pub fn run_with(arguments: &[&str], environment: &[(String, String)], input: &[u8]) -> Finished {
        let mut process = spawner::spawn(command(arguments, environment)).expect("lifestream starts");
        let mut stdin = process.stdin.take().expect("a pipe");
        let input = input.to_owned();
        // A program may end without reading its input: a broken pipe is no failure of ours.
        let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = process.wait_with_output().expect("lifestream can be waited for");
        feeder.join().expect("the feeder does not panic");
        Finished {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs `lifestream` to its end with no input.
    ///
    /// # Panics
    /// With its words if it fails.
    #[track_caller]
    pub fn run(arguments: &[&str], environment: &[(String, String)]) -> String {
        let finished = Self::run_with(arguments, environment, b"");
        assert!(
            finished.status.success(),
            "lifestream {}: {}\n{}",
            arguments.join(" "),
            finished.status,
            finished.stderr
        );
        finished.stdout
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it has printed so far, both streams.
    pub fn log(&self) -> String {
        self.log.lock().expect("no reader panicked").clone()
    }

    /// A view of its log that outlives it.
    pub fn shared_log(&self) -> impl Fn() -> String + use<> {
        let log = Arc::clone(&self.log);
        move || log.lock().expect("no reader panicked").clone()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Ends it by SIGKILL, as a crash does.
    pub fn kill9(mut self) {
        self.process.kill().expect("it was still running");
        self.process.wait().expect("it can be waited for");
    }

    /// Stops it in its tracks (SIGSTOP) until [`Program::sigcont`].
    pub fn sigstop(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn sigcont(&self) {
        self.signal("CONT");
    }

    /// Sends a signal by its name, such as `TERM` or `INT`.
    pub fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args(["-s", name, "--", &self.pid().to_string()]).status().expect("kill runs");
        assert!(status.success(), "SIG{name} for `{}`: {status}", self.name);
    }

    /// Asks it to end (SIGTERM) and waits for it.
    ///
    /// # Panics
    /// If it has not drained and ended within 30 seconds.
    pub fn terminate(self) -> ExitStatus {
        self.signal("TERM");
        self.wait(Duration::from_secs(30))
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// If that takes longer.
    #[track_caller]
    pub fn wait(mut self, within: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("it can be waited for") {
                for reader in self.readers.drain(..) {
                    reader.join().expect("a reader does not panic");
                }
                return status;
            }
            assert!(start.elapsed() < within, "`{}` still ran after {within:?}; it said:\n{}", self.name, self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        if std::thread::panicking() {
            eprintln!("--- {}\n{}---", self.name, self.log());
        }
    }
}

/// Copies a stream into the log, line by line.
fn collect(stream: impl Read + Send + 'static, log: &Arc<Mutex<String>>) -> std::thread::JoinHandle<()> {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(stream.read_until(b'\n', &mut line), Ok(1..)) {
            log.lock().expect("nobody panics with the log").push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

fn command(arguments: &[&str], environment: &[(String, String)]) -> Command {
    let mut command = Command::new(binary());
    // No .env and no lifestream.toml of whoever runs the tests.
    command.args(arguments).current_dir("/");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours = ["LIFESTREAM_", "KAFKA_", "PG", "DATABASE_URL", "OPENAI_", "AWS_", "RUST_LOG"];
        if ours.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

/// Path of the program: the one that `LIFESTREAM_BIN` names, else the one in cargo's target folder, built first.
pub fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let given = || std::env::var_os("LIFESTREAM_BIN").map(PathBuf::from);
    BINARY.get_or_init(|| given().unwrap_or_else(|| built("lifestream"))).clone()
}

/// Path of the web site's server, in cargo's target folder, built first.
pub fn site_binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| built("lifestream-demo")).clone()
}

/// A package of this workspace whose program has the same name.
fn built(package: &str) -> PathBuf {
    let binary = target().join("debug").join(package);
    // `make test` has built it already, and says so.
    if std::env::var_os("STACK_READY").is_none() || !binary.exists() {
        let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--quiet", "--package", package])
            .current_dir(root())
            .env("CARGO_TARGET_DIR", target())
            .status()
            .expect("cargo runs");
        assert!(status.success(), "cargo build --package {package}: {status}");
    }
    binary
}
