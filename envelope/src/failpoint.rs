//! Places where tests end a process as a crash does.
//!
//! `LIFESTREAM_FAILPOINT=<name>` aborts the process when it comes to the place of that name, `<name>:<n>` when it comes
//! there for the n-th time. In builds without debug assertions the places are not there, and the name is refused as any
//! unknown setting is.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The environment variable.
pub const VARIABLE: &str = "LIFESTREAM_FAILPOINT";

/// A place where a test may end the process.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(debug_assertions)]
        $crate::failpoint::pass($name);
    };
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
    fn a_name_with_or_without_a_count() {
        assert_eq!(read("runner.emitted"), ("runner.emitted".to_owned(), 1));
        assert_eq!(read("runner.emitted:3"), ("runner.emitted".to_owned(), 3));
        assert_eq!(read("a:b"), ("a:b".to_owned(), 1));
    }
}
