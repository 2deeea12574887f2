//! The faults that chaos chooses from. Each is injected, lasts for a while, and is healed.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use lifestream_tests::load::Load;
use lifestream_tests::oracle::Draft;
use lifestream_tests::{Dice, Disk, Kafka, Postgres, Proxy, eventually};

use crate::parts::{BRIDGE, MATERIALIZER, Parts};
use crate::stage::{SOON, Stage};

/// All that can be damaged.
pub struct Arena<'a> {
    pub stage: &'a Stage<'a>,
    pub parts: &'a Parts<'a>,
    pub postgres: &'a Postgres,
    pub kafka: &'a Kafka,
    /// Under PostgreSQL's files.
    pub postgres_disk: &'a Disk,
    /// Under those of each broker.
    pub kafka_disks: &'a [Disk],
    /// Between one bridge and PostgreSQL.
    pub line: &'a Proxy,
    pub load: &'a Load,
    pub runtime: tokio::runtime::Handle,
    /// How long what is away stays away.
    pub outage: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    BridgeStopped,
    LineDead,
    LongTransaction,
    MemberStopped,
    Rebalances,
    Poison,
    TooLarge,
    KafkaKilled,
    KafkaStopped,
    BrokerLoop,
    BrokerStopped,
    KafkaDiskFull,
    PostgresRestarted,
    PostgresCrashed,
    BackendsTerminated,
    PostgresDiskFull,
}

impl Fault {
    pub const ALL: &[Self] = &[
        Self::BridgeStopped,
        Self::LineDead,
        Self::LongTransaction,
        Self::MemberStopped,
        Self::Rebalances,
        Self::Poison,
        Self::TooLarge,
        Self::KafkaKilled,
        Self::KafkaStopped,
        Self::BrokerLoop,
        Self::BrokerStopped,
        Self::KafkaDiskFull,
        Self::PostgresRestarted,
        Self::PostgresCrashed,
        Self::BackendsTerminated,
        Self::PostgresDiskFull,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::BridgeStopped => "bridge stopped (SIGSTOP), also past its lease, and continued",
            Self::LineDead => "connections of a bridge to PostgreSQL go dead",
            Self::LongTransaction => "transactions that stay open",
            Self::MemberStopped => "materializer stopped (SIGSTOP) past its session",
            Self::Rebalances => "3 to 5 materializers and back",
            Self::Poison => "poison events",
            Self::TooLarge => "the topic's limit lowered below events",
            Self::KafkaKilled => "all brokers killed, away, started again",
            Self::KafkaStopped => "all brokers stopped (SIGSTOP) and continued",
            Self::BrokerLoop => "brokers restart in a loop",
            Self::BrokerStopped => "one broker stopped (SIGSTOP) past the time-outs",
            Self::KafkaDiskFull => "disk full under a broker",
            Self::PostgresRestarted => "PostgreSQL restarted",
            Self::PostgresCrashed => "PostgreSQL crashed (immediate), away, started again",
            Self::BackendsTerminated => "backends terminated",
            Self::PostgresDiskFull => "disk full under PostgreSQL",
        }
    }

    /// Injects it, and heals it before it returns; but for what goes on by itself.
    pub fn strike(self, arena: &Arena<'_>, dice: &mut Dice) {
        let Arena { stage, parts, postgres, kafka, outage, .. } = arena;
        // Long enough for something to come of it, however short the run.
        let a_while = (*outage / 6).clamp(Duration::from_secs(5), Duration::from_secs(20));
        match self {
            Self::BridgeStopped => {
                let seconds = [3, 8, 9, 20][dice.below(4)];
                let number = parts.publishing_bridge().unwrap_or(parts.of(BRIDGE)[0]);
                stop_for(parts, number, Duration::from_secs(seconds));
            }
            Self::LineDead => {
                arena.line.go_dead();
                sleep(a_while);
                // What is left of it ends as a firewall would end it, late.
                arena.line.cut();
            }
            Self::LongTransaction => long_transaction(arena),
            Self::MemberStopped => {
                let members = parts.of(MATERIALIZER);
                stop_for(parts, members[dice.below(3)], Duration::from_secs(8));
            }
            Self::Rebalances => {
                let more = parts.of(MATERIALIZER).split_off(3);
                for _ in 0..3 {
                    more.iter().for_each(|number| parts.add(*number));
                    sleep(a_while / 2);
                    more.iter().for_each(|number| parts.remove(*number));
                    sleep(a_while / 4);
                }
            }
            Self::Poison => {
                stage.mend(false);
                sleep(a_while);
                stage.mend(true);
                stage.retry_parked(i32::MAX);
            }
            Self::TooLarge => {
                arena.runtime.block_on(stage.limit_topic(true));
                sleep(a_while);
                arena.runtime.block_on(stage.limit_topic(false));
                stage.retry_parked(i32::MAX);
            }
            Self::KafkaKilled => {
                kafka.kill9();
                sleep(*outage);
                kafka.start_again();
            }
            Self::KafkaStopped => {
                let brokers: Vec<u32> = (0..kafka.size()).map(|number| kafka.pid_of(number)).collect();
                brokers.iter().for_each(|pid| signal(*pid, "STOP"));
                sleep(a_while);
                brokers.iter().for_each(|pid| signal(*pid, "CONT"));
            }
            Self::BrokerLoop => {
                for round in 0..4 {
                    let number = round % kafka.size();
                    kafka.kill9_broker(number);
                    kafka.start_broker_again(number);
                }
            }
            Self::BrokerStopped => {
                let pid = kafka.pid_of(dice.below(kafka.size()));
                signal(pid, "STOP");
                sleep(Duration::from_secs(12));
                signal(pid, "CONT");
            }
            Self::KafkaDiskFull => {
                let number = dice.below(kafka.size());
                arena.kafka_disks[number].fill();
                sleep(a_while);
                arena.kafka_disks[number].free();
                kafka.kill9_broker(number);
                kafka.start_broker_again(number);
            }
            Self::PostgresRestarted => postgres.restart(),
            Self::PostgresCrashed => {
                postgres.stop_immediate();
                sleep(*outage / 4);
                postgres.start_again();
            }
            Self::BackendsTerminated => {
                for _ in 0..5 {
                    postgres.terminate_backends();
                    sleep(Duration::from_secs(1));
                }
            }
            Self::PostgresDiskFull => {
                arena.postgres_disk.fill();
                sleep(a_while);
                arena.postgres_disk.free();
                postgres.start_again();
            }
        }
    }
}

/// One that has emitted, one that has written something else; both are committed when the outage would be over.
fn long_transaction(arena: &Arena<'_>) {
    let (url, oracle, hold) = (arena.stage.pipeline.database.url(), arena.load.oracle.clone(), arena.outage);
    arena.runtime.spawn(async move {
        let connect = async || {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.ok()?;
            tokio::spawn(async move { drop(connection.await) });
            Some(client)
        };
        let (Some(mut emits), Some(other)) = (connect().await, connect().await) else { return };
        drop(other.batch_execute("BEGIN; SELECT pg_catalog.pg_current_xact_id()").await);
        let subjects = ["long"];
        let draft =
            Draft { event_type: "load.done", subject_ids: &subjects, payload: "{}", before: "", hold, commit: true };
        oracle.emit_as(&mut emits, &draft).await;
        drop(other.batch_execute("COMMIT").await);
    });
}

/// Stops a part in its tracks for so long.
fn stop_for(parts: &Parts<'_>, number: usize, time: Duration) {
    let mut program = parts.hold(number);
    if let Some(program) = program.as_mut() {
        program.sigstop();
        sleep(time);
        program.sigcont();
    }
}

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, "--", &pid.to_string()]).status().unwrap();
    assert!(status.success(), "SIG{name} for {pid}: {status}");
}

/// Waits until what is committed now has had its effect.
pub fn recover(arena: &Arena<'_>, within: Duration, after: &str) {
    let id = uuid::Uuid::now_v7();
    let emit = format!("SELECT lifestream.emit_event('load.done', 'oracle', 'probe', '{{}}', id => '{id}')");
    arena.stage.psql(&emit);
    arena.load.oracle.note(vec![id], lifestream_tests::oracle::Outcome::Ok);
    let applied = format!("public.applied WHERE event_id = '{id}'");
    eventually(within.max(SOON), &format!("it goes on after: {after}"), || arena.stage.count(&applied) > 0);
}
