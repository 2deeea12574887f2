//! The harness itself: what it starts runs, can be stopped and started again, and is gone afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::process::Command;
use std::time::Duration;

use lifestream_tests::{Kafka, KafkaOptions, Postgres, PostgresOptions, eventually, read_topic};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

/// Whether a process runs; one that has ended and waits for its parent's notice (a zombie) has no command line.
fn alive(pid: u32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[test]
fn postgres_keeps_its_data_over_a_crash_and_is_gone_when_dropped() {
    let postgres = Postgres::start_with(&PostgresOptions { preloaded: false, ..Default::default() });
    let database = postgres.empty_database("kept");
    database.psql("CREATE TABLE kept AS SELECT 42 AS answer");
    let port = postgres.port();

    postgres.stop_immediate();
    postgres.start_again();
    assert_eq!(postgres.port(), port);
    assert_eq!(database.psql("SELECT answer FROM kept"), "42");

    postgres.restart();
    assert_eq!(database.psql("SELECT answer FROM kept"), "42");

    let pid = postgres.pid();
    drop(postgres);
    assert!(!alive(pid), "the server still runs");
}

#[test]
fn settings_reach_the_server() {
    let settings = vec!["work_mem=5MB".to_owned()];
    let postgres = Postgres::start_with(&PostgresOptions { preloaded: false, settings, ..Default::default() });
    let database = postgres.empty_database("settings");
    assert_eq!(database.psql("SHOW work_mem"), "5MB");
    postgres.restart();
    assert_eq!(database.psql("SHOW work_mem"), "5MB", "settings outlive a restart");
}

#[test]
fn kafka_keeps_its_data_and_port_and_is_gone_when_dropped() {
    let kafka = Kafka::start_with(&KafkaOptions { tls: true, ..Default::default() });
    let created = kafka
        .tool("org.apache.kafka.tools.TopicCommand")
        .args(["--bootstrap-server", &kafka.brokers(), "--create", "--topic", "kept", "--partitions", "3"])
        .output()
        .unwrap();
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));

    // Written through the listener that speaks TLS, read through the other.
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka.tls_brokers())
        .set("security.protocol", "ssl")
        .set("ssl.ca.location", kafka.authority().to_str().unwrap())
        .create()
        .unwrap();
    for key in ["a", "b", "c", "d"] {
        producer.send(BaseRecord::to("kept").key(key).payload("{}")).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(Duration::from_secs(20)).unwrap();
    assert_eq!(read_topic(&kafka.brokers(), "kept").len(), 4);

    let brokers = kafka.brokers();
    kafka.kill9();
    kafka.start_again();
    assert_eq!(kafka.brokers(), brokers);
    assert_eq!(read_topic(&brokers, "kept").len(), 4);
    assert!(read_topic(&brokers, "never-made").is_empty());

    let pid = kafka.pid();
    drop(kafka);
    assert!(!alive(pid), "the broker still runs");
}

/// Not a test by itself: starts a server, says where, and waits to be killed by the test below.
#[test]
#[ignore = "started by a_killed_test_program_leaves_nothing_behind"]
fn starts_a_server_and_hangs() {
    let postgres = Postgres::start_with(&PostgresOptions { preloaded: false, ..Default::default() });
    println!("pid {}", postgres.pid());
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_test_program_leaves_nothing_behind() {
    use std::io::{BufRead, BufReader};
    let mut program = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "starts_a_server_and_hangs", "--nocapture"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let pid: u32 = BufReader::new(program.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.rsplit_once("pid ").and_then(|(_, pid)| pid.trim().parse().ok()))
        .expect("the program says the pid of its server");
    assert!(alive(pid));
    program.kill().unwrap();
    program.wait().unwrap();
    eventually(Duration::from_secs(20), "the server has ended", || !alive(pid));
}

#[test]
fn both_versions_carry_the_extension_with_and_without_preloading() {
    for version in [15, 16] {
        for preloaded in [true, false] {
            let options = PostgresOptions { version, preloaded, ..Default::default() };
            let postgres = Postgres::start_with(&options);
            let database = postgres.database("extension");
            assert!(database.psql("SHOW server_version_num").starts_with(&version.to_string()));
            database.psql("SELECT lifestream.emit_event('note.created', 'note', 'n', '{}')");
            let preloads = database.psql("SHOW shared_preload_libraries");
            assert_eq!(preloads.contains("pg_lifestream"), preloaded, "{options:?}");
            assert_eq!(database.psql("SELECT count(*) FROM lifestream.events"), "1", "{options:?}");
        }
    }
}

#[test]
fn a_replica_follows_until_it_is_cut_off_and_is_a_primary_once_promoted() {
    let soon = Duration::from_secs(60);
    let primary = Postgres::start();
    let original = primary.database("followed");
    let emit = "SELECT lifestream.emit_event('note.created', 'note', 'n', '{}')";
    let count = "SELECT count(*) FROM lifestream.events";
    original.psql(emit);
    let replica = primary.replica();
    let copy = replica.existing("followed");
    original.psql(emit);
    eventually(soon, "it follows", || replica.has_caught_up_with(&primary));
    assert_eq!((copy.psql(count).as_str(), copy.psql("SELECT pg_is_in_recovery()").as_str()), ("2", "t"));
    replica.cut_off();
    original.psql(emit);
    replica.promote();
    copy.psql(emit);
    copy.psql(emit);
    assert_eq!((original.psql(count).as_str(), copy.psql(count).as_str()), ("3", "4"));
}
