//! Every part is killed between any two of its effects: once at each place of the list, while the load goes on.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lifestream_envelope::failpoint::PLACES;
use lifestream_tests::load::LoadOptions;
use lifestream_tests::{Dice, Postgres, Program, eventually};

use crate::stage::{SOON, Stage, kafka};

/// The parts, as they are started.
const PARTS: &[(&str, &[&str])] = &[
    ("bridge", &["bridge"]),
    ("materializer", &["materializer"]),
    ("router", &["router"]),
    ("runner", &["agent", "fetcher"]),
];
/// Chores, which run to their end where nothing that the state has taken in is refused.
const CHORES: &[(&str, &[&str])] = &[("rebuild", &["rebuild", "all"]), ("replay", &["replay", "--topic", "again"])];

/// Places that a process does not pass again and again.
const SELDOM: &[&str] = &[
    "bridge.leased",
    "bridge.marked",
    "bridge.read_back",
    "bridge.begun",
    "bridge.parking",
    "bridge.parked",
    "bridge.letting_go",
    "bridge.let_go",
    "bridge.closed",
    "materializer.parked",
    "materializer.releasing",
    "materializer.released",
    "materializer.settled",
    "retry.produced",
    "retry.deleted",
];

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_any_two_effects_nothing_is_lost_doubled_sent_twice_or_reordered() {
    let mut dice = Dice::of("CHAOS_SEED");
    let stage = Stage::new("crash_points", Postgres::shared(), kafka());
    stage.limit_topic(true).await;
    let load = stage.load(LoadOptions { writers: 3, pace: Duration::from_millis(20), rare: 20 });
    // The first of all bridges finds nothing to reconcile.
    let first = stage.spawn(&["bridge"], &[]);
    load.more(100).await;
    first.kill9();

    let kills = Mutex::new(BTreeMap::<&str, usize>::new());
    let over = AtomicBool::new(false);
    // The others need what a part does: once it has been killed everywhere, it lives on.
    let parts = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            scope.spawn(|| decide_again_and_again(&stage, &over));
            let parts: Vec<_> = PARTS
                .iter()
                .map(|(part, arguments)| {
                    let (stage, kills, mut dice) = (&stage, &kills, dice.another());
                    scope.spawn(move || {
                        for (_, place) in PLACES.iter().filter(|(of, _)| of == part) {
                            let passings = if SELDOM.contains(place) { 1 } else { 1 + dice.below(4) };
                            kill_at(stage, arguments, place, passings);
                            *kills.lock().unwrap().entry(place).or_default() += 1;
                        }
                        stage.spawn(arguments, &[])
                    })
                })
                .collect();
            let parts: Vec<_> = parts.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
            over.store(true, Ordering::Relaxed);
            parts
        })
    });
    // Nobody changes his mind any more about what is refused.
    stage.mend(true);
    for (chore, arguments) in CHORES {
        for (_, place) in PLACES.iter().filter(|(of, _)| of == chore) {
            tokio::task::block_in_place(|| kill_at(&stage, arguments, place, 1));
            *kills.lock().unwrap().entry(place).or_default() += 1;
        }
    }
    print(&kills.lock().unwrap());
    let parts: Vec<Program> =
        parts.into_iter().map(|part| part.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect();
    let never: Vec<_> = PLACES.iter().filter(|(_, place)| !kills.lock().unwrap().contains_key(place)).collect();
    assert!(never.is_empty(), "nobody was killed at {never:?}");
    stage.assert_nothing_wrong(load).await;
    for part in parts {
        assert_eq!(part.terminate().code(), Some(0));
    }
}

/// Starts a part, which dies when it comes by. A bridge that is told to end while Kafka refuses something ends without closing: then another.
fn kill_at(stage: &Stage<'_>, part: &[&str], place: &str, passings: usize) {
    for _ in 0..10 {
        let mut doomed = stage.spawn(part, &[("LIFESTREAM_FAILPOINT", &format!("{place}:{passings}"))]);
        if place == "bridge.closed" {
            eventually(SOON, "it publishes", || doomed.log().contains("publishing"));
            doomed.signal("TERM");
        }
        eventually(SOON, &format!("it ends at {place}"), || !doomed.is_running());
        // Its last words may still be on their way through the pipe.
        let (words, log) = (format!("ending at {place}"), doomed.shared_log());
        doomed.wait(SOON);
        if log().contains(&words) {
            return;
        }
        assert_eq!(place, "bridge.closed", "it ended without coming by: {}", log());
    }
    panic!("no bridge came by {place}");
}

/// So that every place is passed: links to fetch, and decisions about what is parked, which help every other time.
fn decide_again_and_again(stage: &Stage<'_>, over: &AtomicBool) {
    let mut mended = false;
    while !over.load(Ordering::Relaxed) {
        stage.save_links(60);
        stage.retry_parked(2);
        std::thread::sleep(Duration::from_secs(1));
        mended = !mended;
        stage.mend(mended);
    }
}

/// Past the test runner, which shows only what a failed test prints.
fn print(kills: &BTreeMap<&str, usize>) {
    let mut table = "\nplace                  | kills".to_owned();
    for (_, place) in PLACES {
        table += &format!("\n{place:<22} | {}", kills.get(place).copied().unwrap_or(0));
    }
    writeln!(std::io::stdout().lock(), "{table}\n").unwrap();
}
