//! How long to wait before trying again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// For long-running parts: 250 ms, doubling up to 5 s, with jitter, without end.
pub fn forever() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(5))
        .with_jitter()
        .without_max_times()
        .build()
        // Jitter adds up to one whole delay; the bound is kept.
        .map(|wait| wait.min(Duration::from_secs(5)))
}

/// For one-shot commands: the waits between 8 tries, from 500 ms, doubling up to 5 s.
pub fn one_shot() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(7)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_running_part_tries_without_end_and_never_waits_longer_than_5_seconds() {
        let waits: Vec<_> = forever().take(200).collect();
        assert_eq!(waits.len(), 200);
        assert!(waits[0] >= Duration::from_millis(250) && waits[0] < Duration::from_millis(500), "{:?}", waits[0]);
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(5)));
        assert!(waits[150] >= Duration::from_secs(5));
    }

    #[test]
    fn a_command_tries_eight_times_from_half_a_second() {
        let waits: Vec<_> = one_shot().collect();
        assert_eq!(waits.len(), 7);
        assert_eq!(waits[..3], [500, 1000, 2000].map(Duration::from_millis));
    }
}
