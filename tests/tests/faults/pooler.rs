//! pgbouncer in transaction mode, before the writers and before the bridge: LISTEN is lost there, the timer finds what nobody announces.

use std::process::Command;
use std::time::Duration;

use lifestream_tests::checkout::{run_script, servers, unique};
use lifestream_tests::load::{Load, LoadOptions};
use lifestream_tests::{Postgres, Program, eventually};

use crate::stage::{SOON, Stage, kafka};

const LOAD: LoadOptions = LoadOptions { writers: 3, pace: Duration::from_millis(10), rare: 0 };

/// A pgbouncer before the shared server, and the address of the stage's database through it.
fn pooled(stage: &Stage<'_>) -> (Program, String) {
    let (postgres, port) = (Postgres::shared(), lifestream_tests::free_port());
    let config = servers().join(unique("pgbouncer.ini"));
    let lines = format!(
        "[databases]\n* = host=127.0.0.1 port={} user=postgres password={}\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={port}\n\
         unix_socket_dir=\nauth_type=any\npool_mode=transaction\ndefault_pool_size=10\nignore_startup_parameters=extra_float_digits\n",
        postgres.port(),
        postgres.password()
    );
    std::fs::write(&config, lines).unwrap();
    let mut command = Command::new(run_script("test-servers.sh", &["pgbouncer"]));
    // It refuses to be root: then as nobody in particular.
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if is_root {
        command.args(["--user", "postgres"]);
    }
    command.arg(&config);
    let pooler = Program::of("pgbouncer", command);
    let url = stage.pipeline.database.url().replace(&format!(":{}/", postgres.port()), &format!(":{port}/"));
    eventually(SOON, "pgbouncer listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    std::fs::remove_file(&config).unwrap();
    (pooler, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_behind_it_wake_the_bridge_all_the_same() {
    let stage = Stage::new("pooled_writers", Postgres::shared(), kafka());
    let (_pooler, url) = pooled(&stage);
    // A timer that finds nothing in time: what arrives was announced.
    let bridge = stage.spawn(&["bridge"], &[("LIFESTREAM_POLL_INTERVAL", "10m")]);
    let load = Load::start_with(&url, LOAD);
    load.more(300).await;
    stage.assert_published_once(load).await;
    assert_eq!(bridge.terminate().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_behind_it_publishes_all_the_same() {
    let stage = Stage::new("pooled_bridge", Postgres::shared(), kafka());
    let (_pooler, url) = pooled(&stage);
    let load = Load::start_with(&url, LOAD);
    let bridge = stage.spawn(&["bridge"], &[("LIFESTREAM_POLL_INTERVAL", "1s"), ("DATABASE_URL", &url)]);
    load.more(300).await;
    stage.assert_published_once(load).await;
    assert_eq!(bridge.terminate().code(), Some(0));
}
