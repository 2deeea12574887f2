//! The program from outside, as far as it needs no server: help, exit codes, settings.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

/// Runs it in an empty folder, with this environment and no other.
fn lifestream(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), arguments, environment)
}

fn run_in(folder: &std::path::Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    // A part that goes looking for servers would never end.
    Command::new("timeout")
        .args(["20", env!("CARGO_BIN_EXE_lifestream")])
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_begins_with_examples_and_ends_with_exit_codes() {
    let help = lifestream(&["--help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    let text = stdout(&help);
    assert!(text.starts_with("Examples:\n") && text.contains("Exit codes:"), "{text}");
    for command in [
        "bridge",
        "materializer",
        "up",
        "init",
        "reset",
        "emit",
        "import",
        "status",
        "dlq",
        "tags",
        "doctor",
        "tail",
        "topics",
        "completions",
    ] {
        let help = lifestream(&[command, "--help"], &[]);
        assert_eq!(help.status.code(), Some(0), "{command}");
        assert!(stdout(&help).starts_with("Examples:\n"), "{command}");
    }
}

#[test]
fn the_version_is_that_of_the_workspace() {
    assert_eq!(stdout(&lifestream(&["--version"], &[])), format!("lifestream {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_typo_is_answered_with_what_may_be_meant() {
    for (typo, meant) in [
        (&["statsu"][..], "status"),
        (&["import", "x", "--dry-rum"], "--dry-run"),
        (&["bridge", "--until-idel"], "--until-idle"),
    ] {
        let output = lifestream(typo, &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(meant), "{}", stderr(&output));
    }
    let nothing = lifestream(&[], &[]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(stderr(&nothing).contains("Usage:"));
}

#[test]
fn wrong_settings_end_with_78_and_name_the_setting() {
    for (environment, arguments, expected) in [
        (&[][..], &["status"][..], "DATABASE_URL is not set"),
        (&[("DATABASE_URL", "nonsense")], &["status"], "DATABASE_URL (environment): must be postgres://"),
        (&[("LIFESTREAM_POLL", "1s")], &["status"], "unknown setting LIFESTREAM_POLL"),
        (&[], &["bridge", "--poll-interval", "5"], "LIFESTREAM_POLL_INTERVAL (flag): \"5\" is not a time"),
        (
            &[("KAFKA_AUTH_METHOD", "scram-sha-512")],
            &["topics"],
            "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD required",
        ),
        (&[("KAFKA_AUTH_METHOD", "aws-iam")], &["topics"], "KAFKA_AUTH_METHOD=aws-iam"),
        (&[], &["topics", "-X", "acks=1"], "KAFKA_PROPERTY_acks is refused"),
        (&[], &["topics", "-X", "linger.mss=1"], "librdkafka knows no property linger.mss"),
        (&[], &["bridge", "--config", "/nowhere.toml"], "LIFESTREAM_CONFIG: /nowhere.toml"),
        (&[("DATABASE_URL_FILE", "/nowhere")], &["emit", "a", "b", "c"], "DATABASE_URL_FILE: /nowhere"),
        (&[], &["bridge"], "DATABASE_URL is not set"),
        (&[], &["materializer"], "DATABASE_URL is not set"),
        (&[], &["up"], "DATABASE_URL is not set"),
    ] {
        let output = lifestream(arguments, environment);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(78), "{arguments:?}: {text}");
        let last = text.lines().last().unwrap();
        assert!(last.starts_with("error: ") && last.contains(expected), "{arguments:?}: {text}");
    }
}

#[test]
fn dotenv_and_toml_in_the_working_directory_count() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lifestream.toml"), "kafka_compression = 'brotli'\n").unwrap();
    assert!(stderr(&run_in(folder.path(), &["topics"], &[])).contains("KAFKA_COMPRESSION (./lifestream.toml)"));
    std::fs::write(folder.path().join(".env"), "KAFKA_COMPRESSION=zip\n").unwrap();
    assert!(stderr(&run_in(folder.path(), &["topics"], &[])).contains("KAFKA_COMPRESSION (.env)"));
}

#[test]
fn a_certificate_that_cannot_be_read_is_told_without_the_password() {
    let output = lifestream(
        &["status"],
        &[("DATABASE_URL", "postgres://me:s3cret@127.0.0.1:1/app?sslmode=require&sslrootcert=/nowhere.pem")],
    );
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(78), "{text}");
    assert!(
        text.contains("postgres://me:***@127.0.0.1:1/app") && text.contains("sslrootcert") && !text.contains("s3cret"),
        "{text}"
    );
}

#[test]
fn completions_need_no_settings() {
    for shell in ["bash", "zsh", "fish"] {
        let output = lifestream(&["completions", shell], &[("LIFESTREAM_NONSENSE", "1")]);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains("lifestream"));
    }
}

#[test]
fn import_refuses_what_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["/nowhere.html", "."] {
        let output = run_in(folder.path(), &["import", file], &[]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).starts_with(&format!("error: {file}")), "{}", stderr(&output));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let script = format!(
        "{} --help | head -n 1; {} completions bash | head -n 1",
        env!("CARGO_BIN_EXE_lifestream"),
        env!("CARGO_BIN_EXE_lifestream")
    );
    let output = Command::new("bash").args(["-o", "pipefail", "-c", &script]).output().unwrap();
    assert!(!stderr(&output).contains("panic"), "{}", stderr(&output));
}

#[test]
fn a_signal_ends_a_part_whose_log_nobody_reads_any_more() {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    // A broker that hangs up on whoever comes.
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = broker.local_addr().unwrap().to_string();
    let mut bridge = Command::new(env!("CARGO_BIN_EXE_lifestream"))
        .args(["--database-url", "postgres://u@127.0.0.1:1/x", "--brokers", &address, "-vv", "bridge"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    // Dropped behind its first line, as `lifestream bridge 2>&1 | head -1` does.
    BufReader::new(bridge.stderr.take().unwrap()).read_line(&mut line).unwrap();
    // With -vv librdkafka's thread tells of each connection that ended before it makes another: after the first has been
    // hung up on, a second one says that something has been logged to nobody.
    for _ in 0..3 {
        drop(broker.accept().unwrap());
    }
    Command::new("kill").args(["-s", "INT", &bridge.id().to_string()]).status().unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = bridge.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > Duration::from_secs(10) {
            bridge.kill().unwrap();
            bridge.wait().unwrap();
            panic!("it did not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(0));
}
