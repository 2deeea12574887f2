//! A throw-away PostgreSQL with the extension, on a port of its own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::checkout::{run_script, servers, unique};
use crate::eventually::eventually;
use crate::guard::Guard;

/// How a throw-away PostgreSQL is set up.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Major version: 15 or 16.
    pub version: u32,
    /// Whether the extension stands in `shared_preload_libraries`.
    pub preloaded: bool,
    /// Further settings of the server, as `name=value`.
    pub settings: Vec<String>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { version: 15, preloaded: true, settings: Vec::new() }
    }
}

/// A running server; dropped, it is stopped and removed.
pub struct Postgres {
    server: PathBuf,
    folder: PathBuf,
    _guard: Guard,
}

impl Postgres {
    /// Starts PostgreSQL 15 with the extension preloaded. Takes about a second.
    pub fn start() -> Self {
        Self::start_with(&PostgresOptions::default())
    }

    /// Starts one set up as asked for. Files are not synced to disk (`fsync=off`) unless the settings say otherwise.
    pub fn start_with(options: &PostgresOptions) -> Self {
        let server = server(options.version);
        let folder = servers().join(unique("postgres"));
        let guard = Guard::over("postgres", &folder);
        let mut settings =
            vec!["fsync=off".to_owned(), "max_connections=300".to_owned(), "max_prepared_transactions=20".to_owned()];
        if options.preloaded {
            settings.push("shared_preload_libraries=pg_lifestream".to_owned());
        }
        settings.extend(options.settings.iter().cloned());
        let this = Self { server, folder, _guard: guard };
        this.start_script(&settings);
        this
    }

    /// The one of this test program, started when first asked for.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts a streaming replica of it, with all its databases; [`Postgres::promote`] makes it a primary.
    pub fn replica(&self) -> Self {
        let folder = servers().join(unique("postgres"));
        let guard = Guard::over("postgres", &folder);
        let this = Self { server: self.server.clone(), folder, _guard: guard };
        let paths = [&this.server, &this.folder, &self.folder].map(|path| path.to_str().unwrap());
        run_script("postgres.sh", &["replica", paths[0], paths[1], paths[2]]);
        this
    }

    /// For a replica: what its primary commits from now on does not reach it.
    pub fn cut_off(&self) {
        psql(self, "postgres", "ALTER SYSTEM SET primary_conninfo = ''; SELECT pg_reload_conf()");
        let receiving = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walreceiver'";
        eventually(Duration::from_secs(60), "nothing is received any more", || {
            psql(self, "postgres", receiving) == "0"
        });
    }

    /// For a replica: whether it has everything that its primary has committed so far.
    pub fn has_caught_up_with(&self, primary: &Self) -> bool {
        let ahead = psql(primary, "postgres", "SELECT pg_current_wal_flush_lsn()");
        psql(self, "postgres", &format!("SELECT pg_last_wal_replay_lsn() >= '{ahead}'")) == "t"
    }

    /// Makes a replica a primary, on another timeline.
    pub fn promote(&self) {
        assert_eq!(psql(self, "postgres", "SELECT pg_promote()"), "t", "it is promoted");
    }

    fn start_script(&self, settings: &[String]) {
        let mut arguments = vec!["start", self.server.to_str().unwrap(), self.folder.to_str().unwrap()];
        arguments.extend(settings.iter().map(String::as_str));
        run_script("postgres.sh", &arguments);
    }

    /// Stops it and starts it again, on the same port: clients are disconnected, nothing is lost.
    pub fn restart(&self) {
        self.stop("fast");
        self.start_again();
    }

    /// Ends it as a crash does (`immediate`): it stays down until [`Postgres::start_again`].
    pub fn stop_immediate(&self) {
        self.stop("immediate");
    }

    /// Stops it; `mode` is `fast` or `immediate`.
    pub fn stop(&self, mode: &str) {
        run_script("postgres.sh", &["stop", self.folder.to_str().unwrap(), mode]);
    }

    /// Starts it after a stop, on the same port and with the same data.
    pub fn start_again(&self) {
        self.start_script(&[]);
    }

    /// Disconnects every client but this call's own; gives how many there were.
    pub fn terminate_backends(&self) -> usize {
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        psql(self, "postgres", sql).parse().expect("a count")
    }

    /// A new database of that name (an old one is dropped), with the extension in it.
    pub fn database(&self, name: &str) -> Database<'_> {
        let database = self.empty_database(name);
        database.psql("CREATE EXTENSION pg_lifestream");
        database
    }

    /// A new database of that name, without the extension.
    pub fn empty_database(&self, name: &str) -> Database<'_> {
        psql(self, "postgres", &format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"));
        // template0 never has sessions, so two tests can make databases at once.
        psql(self, "postgres", &format!("CREATE DATABASE \"{name}\" TEMPLATE template0"));
        Database { postgres: self, name: name.to_owned() }
    }

    /// A database that is there: a replica has those of its primary.
    pub fn existing(&self, name: &str) -> Database<'_> {
        Database { postgres: self, name: name.to_owned() }
    }

    /// The address of a database, for the superuser `postgres`.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://postgres:{}@127.0.0.1:{}/{database}", self.password(), self.port())
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        noted(&self.folder, "port").parse().expect("a port")
    }

    /// The password of the superuser `postgres`.
    pub fn password(&self) -> String {
        noted(&self.folder, "password")
    }

    /// The process id of the postmaster.
    pub fn pid(&self) -> u32 {
        noted(&self.folder, "pid").parse().expect("a pid")
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// One of PostgreSQL's own programs (`psql`, `pg_dump`, `pg_config`, …), with host, port, user and password in its environment.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.server.join("bin").join(name));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port().to_string())
            .env("PGUSER", "postgres")
            .env("PGPASSWORD", self.password());
        command
    }

    /// The server's own tree; its programs are in `bin` below it.
    pub fn server(&self) -> &Path {
        &self.server
    }
}

/// Path of the extension's library, as it is built now, for a major version.
pub fn extension_library(version: u32) -> PathBuf {
    let output =
        Command::new(server(version).join("bin/pg_config")).arg("--pkglibdir").output().expect("pg_config runs");
    Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("pg_lifestream.so")
}

/// A database of a throw-away server.
#[derive(Clone)]
pub struct Database<'a> {
    /// The server that it is in.
    pub postgres: &'a Postgres,
    /// Its name.
    pub name: String,
}

impl Database<'_> {
    /// Its address, for the superuser.
    pub fn url(&self) -> String {
        self.postgres.url(&self.name)
    }

    /// Runs SQL with psql; gives the rows as text, columns separated by `|`, lines trimmed at the end.
    ///
    /// # Panics
    /// With psql's words if a statement fails.
    #[track_caller]
    pub fn psql(&self, sql: &str) -> String {
        psql(self.postgres, &self.name, sql)
    }

    /// Opens a connection, driven by a task of its own.
    pub async fn connect(&self) -> tokio_postgres::Client {
        let (client, connection) =
            tokio_postgres::connect(&self.url(), tokio_postgres::NoTls).await.expect("the server takes a connection");
        // An error of the connection shows in the client's next call.
        tokio::spawn(async move { drop(connection.await) });
        client
    }
}

#[track_caller]
fn psql(postgres: &Postgres, database: &str, sql: &str) -> String {
    // By its standard input, where each statement is by itself, and psql's own commands work.
    let mut process = postgres
        .program("psql")
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--dbname", database])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql runs");
    let mut stdin = process.stdin.take().expect("a pipe");
    let input = sql.to_owned();
    // psql leaves the rest unread once a statement fails: a broken pipe is no failure of ours.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = process.wait_with_output().expect("psql can be waited for");
    feeder.join().expect("the feeder does not panic");
    assert!(output.status.success(), "psql: {sql}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("psql prints UTF-8").trim_end().to_owned()
}

/// The copy of a major version's server, with the extension as it is built now; made ready once in a test program.
fn server(version: u32) -> PathBuf {
    static FIFTEEN: OnceLock<PathBuf> = OnceLock::new();
    static SIXTEEN: OnceLock<PathBuf> = OnceLock::new();
    let (once, major) = match version {
        15 => (&FIFTEEN, "15"),
        16 => (&SIXTEEN, "16"),
        other => panic!("no PostgreSQL {other} for the tests: 15 or 16"),
    };
    once.get_or_init(|| PathBuf::from(run_script("test-servers.sh", &["postgres", major]))).clone()
}

/// A value that a start script noted in a server's folder.
fn noted(folder: &Path, name: &str) -> String {
    let file = folder.join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).trim().to_owned()
}
