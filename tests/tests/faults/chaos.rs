//! Everything at once, for a long time: `make chaos`. Parts are killed all the while; faults of the list follow each other in an
//! order that the seed decides; at the end nothing may be lost, doubled or reordered.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lifestream_tests::load::LoadOptions;
use lifestream_tests::oracle::Verdict;
use lifestream_tests::{Dice, Disk, Kafka, KafkaOptions, Postgres, PostgresOptions, Proxy};

use crate::clocks::{self, DAY};
use crate::fault::{Arena, Fault, recover};
use crate::parts::{BRIDGE, FETCHER, MATERIALIZER, Parts, ROUTER};
use crate::stage::{Stage, short_sessions};

/// Somebody is killed this often.
const KILL_EVERY: Duration = Duration::from_millis(3_500);
/// How long a pipeline may take to go on. It heals by itself: nobody lends a hand.
const RECOVERY: Duration = Duration::from_secs(300);

/// What became of a kind of fault.
#[derive(Default)]
struct Line {
    injected: usize,
    longest: Duration,
}

/// Settings of a run.
struct Plan {
    minutes: u64,
    outage: Duration,
}

impl Plan {
    fn from_environment() -> Self {
        let minutes = std::env::var("CHAOS_MINUTES").unwrap_or_else(|_| "30".to_owned());
        let minutes: u64 = minutes.parse().unwrap_or_else(|error| panic!("CHAOS_MINUTES={minutes}: {error}"));
        assert!(minutes >= 2, "CHAOS_MINUTES={minutes}: 2 at least");
        let outage = match minutes {
            90.. => 600,
            30.. => 120,
            _ => minutes * 3,
        };
        Self { minutes, outage: Duration::from_secs(outage) }
    }
}

#[test]
#[ignore = "long: make chaos"]
fn everything_at_once_loses_doubles_and_reorders_nothing() {
    let plan = Plan::from_environment();
    let mut dice = Dice::of("CHAOS_SEED");
    say(&format!("{} minutes, outages of {:?}", plan.minutes, plan.outage));
    let runtime = tokio::runtime::Runtime::new().unwrap();

    let postgres_disk = Disk::mount(4_000);
    let kafka_disks: Vec<Disk> = (0..3).map(|_| Disk::mount(2_000)).collect();
    let postgres = Postgres::start_with(&PostgresOptions {
        settings: vec!["max_wal_size=256MB".to_owned()],
        folder: Some(postgres_disk.folder().to_owned()),
        ..PostgresOptions::default()
    });
    let kafka = Kafka::start_with(&KafkaOptions {
        brokers: 3,
        properties: short_sessions(),
        folders: kafka_disks.iter().map(|disk| disk.folder().to_owned()).collect(),
        ..KafkaOptions::default()
    });
    let stage = Stage::new("chaos", &postgres, &kafka);
    stage.mend(true);
    let line = Proxy::to(postgres.port());
    let through =
        stage.pipeline.database.url().replace(&format!(":{}/", postgres.port()), &format!(":{}/", line.port()));
    let parts = Parts::start(
        &stage,
        [
            (BRIDGE, vec![("DATABASE_URL".to_owned(), through)]),
            (BRIDGE, clocks::off_by(DAY)),
            (MATERIALIZER, Vec::new()),
            (MATERIALIZER, clocks::off_by(-DAY)),
            (MATERIALIZER, Vec::new()),
            (MATERIALIZER, Vec::new()),
            (MATERIALIZER, Vec::new()),
            (ROUTER, clocks::off_by(DAY)),
            (ROUTER, Vec::new()),
            (FETCHER, Vec::new()),
        ],
    );
    // Two of them come only for a while.
    parts.of(MATERIALIZER).split_off(3).into_iter().for_each(|number| parts.remove(number));
    let load = {
        let _entered = runtime.enter();
        stage.load(LoadOptions { writers: 3, pace: Duration::from_millis(50), rare: 150 })
    };
    let lines = Mutex::new(BTreeMap::<&str, Line>::new());
    let over = AtomicBool::new(false);
    let start = Instant::now();
    let deadline = start + Duration::from_secs(plan.minutes * 60);
    let arena = Arena {
        stage: &stage,
        parts: &parts,
        postgres: &postgres,
        kafka: &kafka,
        postgres_disk: &postgres_disk,
        kafka_disks: &kafka_disks,
        line: &line,
        load: &load,
        runtime: runtime.handle().clone(),
        outage: plan.outage,
    };
    std::thread::scope(|scope| {
        let mut others = dice.another();
        let (parts, over) = (&parts, &over);
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                parts.kill9(others.below(parts.len()));
                std::thread::sleep(KILL_EVERY);
            }
        });
        // However this thread ends, the other one ends too.
        let _ending = Ending(over);
        let mut next = Vec::new();
        while Instant::now() < deadline {
            let fault = next.pop().unwrap_or_else(|| {
                next = dice.shuffled(Fault::ALL.to_vec());
                next.pop().unwrap()
            });
            say(&format!("{:>5.0?} {}", start.elapsed(), fault.name()));
            fault.strike(&arena, &mut dice);
            let healed = Instant::now();
            recover(&arena, RECOVERY, fault.name());
            stage.save_links(20);
            parts.assert_all_run();
            let mut lines = lines.lock().unwrap();
            let line = lines.entry(fault.name()).or_default();
            line.injected += 1;
            line.longest = line.longest.max(healed.elapsed());
        }
    });
    say("settling");
    let oracle = runtime.block_on(load.stop());
    let settled = Instant::now();
    runtime.block_on(stage.settle());
    let (verdict, settled) = (runtime.block_on(stage.verdict(&oracle)), settled.elapsed());
    parts.stop();

    let lines = lines.into_inner().unwrap();
    let table = table(&plan, &lines, parts.kills(), oracle.committed(), &verdict, settled);
    say(&table);
    let missing: Vec<_> = Fault::ALL.iter().filter(|fault| !lines.contains_key(fault.name())).collect();
    assert!(plan.minutes < 30 || missing.is_empty(), "too short for {missing:?}");
    let kills = usize::try_from(plan.minutes).unwrap() * 10;
    assert!(parts.kills() >= kills, "{} kills only, of {kills}", parts.kills());
    assert_eq!(verdict, Verdict::default());
}

struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn table(
    plan: &Plan,
    lines: &BTreeMap<&str, Line>,
    kills: usize,
    events: usize,
    verdict: &Verdict,
    settled: Duration,
) -> String {
    let mut table = format!("\n{:<64} | injected | longest recovery", "fault");
    for (name, Line { injected, longest }) in lines {
        table += &format!("\n{name:<64} | {injected:>8} | {:.1} s", longest.as_secs_f64());
    }
    for (name, injected) in [
        ("kill -9 of bridges, materializers, routers, fetcher", kills.to_string()),
        ("a bridge, a router and a materializer with clocks off by a day", "all along".to_owned()),
        ("late commits, events that wake nobody", "all along".to_owned()),
    ] {
        table += &format!("\n{name:<64} | {injected:>8} |");
    }
    let longest = lines.values().map(|line| line.longest).max().unwrap_or_default();
    let Verdict { lost, without_effect, doubled, ghosts, torn, reordered, sent_twice } = verdict;
    table
        + &format!(
            "\n\n{} minutes, {} faults and {kills} kills injected, {events} events emitted: {} lost, {} doubled in state, {} reordered, \
             {} sent twice, {} rolled back and yet there, {} torn; longest recovery {:.1} s, settled after {:.1} s\n",
            plan.minutes,
            lines.values().map(|line| line.injected).sum::<usize>(),
            lost.len() + without_effect.len(),
            doubled.len(),
            reordered.len(),
            sent_twice.len(),
            ghosts.len(),
            torn.len(),
            longest.as_secs_f64(),
            settled.as_secs_f64(),
        )
}

/// Past the test runner, which shows only what a failed test prints.
fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what}").unwrap();
    out.flush().unwrap();
}
