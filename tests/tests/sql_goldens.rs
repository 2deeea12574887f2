//! The extension's goldens (`pg_lifestream/regress`) and isolation specs (`pg_lifestream/isolation`), run by PostgreSQL's
//! own tools against throw-away servers: preloaded and not, on each version that can be had.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use lifestream_tests::{Postgres, PostgresOptions, checkout};

/// pg_regress and pg_isolation_regress drive psql and libpq only: those of PostgreSQL 15 serve every version.
fn tool(fifteen: &Postgres, folder: &str, name: &str) -> PathBuf {
    let output = fifteen.program("pg_config").arg("--pgxs").output().expect("pg_config runs");
    let makefile = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    let tests = makefile.ancestors().nth(2).expect("pgxs.mk lies in src/makefiles").join("test");
    let tool = tests.join(folder).join(name);
    assert!(tool.is_file(), "{} is missing: postgresql-server-dev-15 brings it", tool.display());
    tool
}

fn run(postgres: &Postgres, tool: &Path, folder: &str, extension: bool) {
    let input = checkout::root().join("pg_lifestream").join(folder);
    let output = tempfile::tempdir().unwrap();
    let mut command = Command::new(tool);
    command
        .env("PGPASSWORD", postgres.password())
        .arg(format!("--inputdir={}", input.display()))
        .arg(format!("--outputdir={}", output.path().display()))
        .arg(format!("--bindir={}", postgres.server().join("bin").display()))
        .arg(format!("--schedule={}", input.join("schedule").display()))
        .arg(format!("--dbname=goldens_{folder}"))
        .args(["--encoding=UTF8", "--host=127.0.0.1", "--user=postgres"])
        .arg(format!("--port={}", postgres.port()));
    if extension {
        command.arg("--load-extension=pg_lifestream");
    }
    let finished = command.output().expect("the tool runs");
    let differences = std::fs::read_to_string(output.path().join("regression.diffs")).unwrap_or_default();
    assert!(
        finished.status.success(),
        "{}{}{differences}",
        String::from_utf8_lossy(&finished.stdout),
        String::from_utf8_lossy(&finished.stderr)
    );
}

fn goldens(options: &PostgresOptions) {
    let fifteen = Postgres::shared();
    let postgres = Postgres::start_with(options);
    run(&postgres, &tool(fifteen, "regress", "pg_regress"), "regress", false);
    run(&postgres, &tool(fifteen, "isolation", "pg_isolation_regress"), "isolation", true);
}

#[test]
fn postgres_15_preloaded() {
    goldens(&PostgresOptions { version: 15, preloaded: true, ..Default::default() });
}

#[test]
fn postgres_15_not_preloaded() {
    goldens(&PostgresOptions { version: 15, preloaded: false, ..Default::default() });
}

#[test]
fn postgres_16_preloaded() {
    goldens(&PostgresOptions { version: 16, preloaded: true, ..Default::default() });
}
