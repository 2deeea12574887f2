//! Places where tests end a process as a crash does: between two effects.
//!
//! `LIFESTREAM_FAILPOINT=<name>` aborts the process when it comes to the place of that name, `<name>:<n>` when it comes
//! there for the n-th time. In builds without debug assertions the places are not there, and the name is refused as any
//! unknown setting is.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The environment variable.
pub const VARIABLE: &str = "LIFESTREAM_FAILPOINT";

/// Every place: the part that passes it, and its name. The tests kill that part at each (`tests/tests/faults/crash_points.rs`).
pub const PLACES: &[(&str, &str)] = &[
    // The start procedure.
    ("bridge", "bridge.leased"),
    ("bridge", "bridge.marked"),
    ("bridge", "bridge.read_back"),
    ("bridge", "bridge.begun"),
    // An event's way: handed to librdkafka, acknowledged by Kafka, flagged.
    ("bridge", "bridge.sending"),
    ("bridge", "bridge.sent"),
    ("bridge", "bridge.delivered"),
    ("bridge", "bridge.acknowledged"),
    ("bridge", "bridge.saving"),
    ("bridge", "bridge.saved"),
    // What Kafka refuses, and what somebody decided about it.
    ("bridge", "bridge.parking"),
    ("bridge", "bridge.parked"),
    ("bridge", "bridge.letting_go"),
    ("bridge", "bridge.let_go"),
    // An orderly end.
    ("bridge", "bridge.closed"),
    ("materializer", "materializer.read"),
    ("materializer", "materializer.began"),
    ("materializer", "materializer.parked"),
    ("materializer", "materializer.applied"),
    ("materializer", "materializer.committed"),
    ("materializer", "materializer.told"),
    ("materializer", "materializer.releasing"),
    ("materializer", "materializer.released"),
    ("materializer", "materializer.settled"),
    ("rebuild", "rebuild.filled"),
    ("rebuild", "rebuild.swapped"),
    ("replay", "replay.acknowledged"),
    ("router", "router.read"),
    ("router", "router.produced"),
    ("router", "router.stored"),
    ("router", "router.committed"),
    ("router", "retry.produced"),
    ("router", "retry.deleted"),
    ("runner", "runner.received"),
    ("runner", "runner.handled"),
    ("runner", "runner.emitted"),
    ("runner", "runner.committed"),
    ("runner", "runner.putting_off"),
    ("runner", "runner.put_off"),
];

/// A place where a test may end the process. A name that [`PLACES`] lacks does not compile.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        const { assert!($crate::failpoint::is_listed($name), "not in failpoint::PLACES") };
        #[cfg(debug_assertions)]
        $crate::failpoint::pass($name);
    };
}

/// Whether [`PLACES`] has a place of this name.
pub const fn is_listed(name: &str) -> bool {
    let mut at = 0;
    while at < PLACES.len() {
        if is_same(PLACES[at].1.as_bytes(), name.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

struct Armed {
    name: String,
    passings: AtomicU64,
}

/// What [`failpoint!`](crate::failpoint!) does.
pub fn pass(name: &str) {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    let armed = ARMED.get_or_init(|| {
        let (name, passings) = read(&std::env::var(VARIABLE).ok()?);
        Some(Armed { name, passings: AtomicU64::new(passings) })
    });
    if let Some(armed) = armed.as_ref().filter(|armed| armed.name == name)
        && armed.passings.fetch_sub(1, Ordering::SeqCst) == 1
    {
        tracing::error!("{VARIABLE}: ending at {name}");
        std::process::abort();
    }
}

fn read(value: &str) -> (String, u64) {
    let counted = value.rsplit_once(':').and_then(|(name, count)| Some((name, count.parse().ok()?)));
    let (name, count) = counted.unwrap_or((value, 1));
    (name.to_owned(), count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_are_listed() {
        assert!(is_listed("bridge.sent") && is_listed("runner.put_off"));
        assert!(!is_listed("bridge.sen") && !is_listed("bridge.sent2") && !is_listed(""));
    }

    #[test]
    fn a_name_with_or_without_a_count() {
        assert_eq!(read("runner.emitted"), ("runner.emitted".to_owned(), 1));
        assert_eq!(read("runner.emitted:3"), ("runner.emitted".to_owned(), 3));
        assert_eq!(read("a:b"), ("a:b".to_owned(), 1));
    }
}
