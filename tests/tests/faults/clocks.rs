//! Clocks that are wrong by a day.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use lifestream_tests::load::LoadOptions;
use lifestream_tests::{Postgres, eventually};

use crate::parts::{FETCHER, MATERIALIZER, Parts, ROUTER};
use crate::stage::{SOON, Stage, kafka};

/// The environment of a program whose clock is off by so many seconds: a preloaded library tells it another time.
pub fn off_by(seconds: i64) -> Vec<(String, String)> {
    let library = library().display().to_string();
    vec![("LD_PRELOAD".to_owned(), library), ("CLOCK_OFF_BY".to_owned(), seconds.to_string())]
}

pub const DAY: i64 = 24 * 60 * 60;

fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/clock.c");
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("clock-{}.so", std::process::id()));
        let gcc =
            Command::new("gcc").args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(&source).arg("-ldl").output();
        let gcc = gcc.expect("gcc runs");
        assert!(gcc.status.success(), "gcc: {}", String::from_utf8_lossy(&gcc.stderr));
        // One name for all runs; each replaces it whole.
        let whole = library.with_file_name("clock.so");
        std::fs::rename(&library, &whole).unwrap();
        whole
    })
}

#[test]
fn a_clock_that_is_off_is_off() {
    let shown = |offset| {
        let output = Command::new("date").arg("+%s").envs(off_by(offset)).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<i64>().unwrap()
    };
    let between = shown(DAY) - shown(-DAY);
    assert!((2 * DAY - 10..=2 * DAY + 10).contains(&between), "{between} s between them");
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_off_by_a_day_change_neither_order_nor_delivery() {
    let stage = Stage::new("clocks", Postgres::shared(), kafka());
    let bridges = [DAY, -DAY].map(|offset| {
        let clock = off_by(offset);
        let clock: Vec<_> = clock.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        stage.spawn(&["bridge"], &clock)
    });
    let parts = Parts::start(
        &stage,
        [(MATERIALIZER, off_by(-DAY)), (MATERIALIZER, off_by(DAY)), (ROUTER, off_by(DAY)), (FETCHER, off_by(-DAY))],
    );
    let load = stage.load(LoadOptions { writers: 3, pace: Duration::from_millis(5), rare: 0 });
    stage.save_links(40);
    eventually(SOON, "it flows", || stage.count("public.applied") > 0);
    load.more(300).await;
    // The one with the other clock takes over, at once and not in a day.
    let [mut first, mut second] = bridges;
    if second.log().contains("publishing") {
        std::mem::swap(&mut first, &mut second);
    }
    first.kill9();
    eventually(SOON, "the other one publishes", || second.log().contains("publishing"));
    load.more(300).await;
    stage.assert_nothing_wrong(load).await;
    assert_eq!(second.terminate().code(), Some(0));
    parts.stop();
}
