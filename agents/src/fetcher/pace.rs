//! Keeps what is asked of one host apart, also by those that no task's lane knows of: robots.txt and redirects from elsewhere.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When each host may be asked again.
#[derive(Debug, Default)]
pub struct Pace {
    next: Mutex<HashMap<String, Next>>,
}

/// A host's turns that are still free.
#[derive(Debug, Clone, Copy)]
struct Next {
    /// The next one.
    turn: Instant,
    /// The next one for somebody who cannot wait and comes again: each of them is told another.
    later: Instant,
}

/// From so many hosts on, those that may be asked are forgotten.
const MANY: usize = 1000;

impl Pace {
    /// Waits for the host's turn, after which it has none for so long an interval.
    ///
    /// # Errors
    /// How long it would be, where that is more than the patience: the turn is not taken.
    pub async fn wait(&self, host: &str, interval: Duration, patience: Duration) -> Result<(), Duration> {
        let now = Instant::now();
        let turn = self.turn(host, interval, patience, now).map_err(|later| later - now)?;
        tokio::time::sleep_until(turn).await;
        Ok(())
    }

    fn turn(&self, host: &str, interval: Duration, patience: Duration, now: Instant) -> Result<Instant, Instant> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.len() >= MANY {
            next.retain(|_, next| next.turn > now || next.later > now);
        }
        let next = next.entry(host.to_owned()).or_insert(Next { turn: now, later: now });
        let turn = next.turn.max(now);
        if turn - now > patience {
            let later = next.later.max(turn);
            next.later = later + interval;
            return Err(later);
        }
        next.turn = turn + interval;
        Ok(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_to_one_host_are_apart_and_those_to_others_do_not_wait() {
        let (pace, now) = (Pace::default(), Instant::now());
        let turn =
            |host: &str, at: u64| pace.turn(host, seconds(2), Duration::MAX, now + seconds(at)).map(|turn| turn - now);
        let turns: Vec<_> = ["a:80", "a:80", "b:80", "a:80"].iter().map(|host| turn(host, 0)).collect();
        assert_eq!(turns, [0, 2, 0, 4].map(|at| Ok(seconds(at))));
        assert_eq!(turn("a:80", 60), Ok(seconds(60)));
    }

    #[test]
    fn whoever_cannot_wait_takes_no_turn_and_is_told_one_of_its_own() {
        let (pace, now) = (Pace::default(), Instant::now());
        let turn = |at: u64| {
            let turn = pace.turn("a:80", seconds(40), seconds(60), now + seconds(at));
            turn.map(|turn| turn - now).map_err(|later| later - now)
        };
        let turns: Vec<_> = (0..4).map(|_| turn(0)).collect();
        assert_eq!(turns, [Ok(seconds(0)), Ok(seconds(40)), Err(seconds(80)), Err(seconds(120))]);
        // Each of them comes when it was told to, and waits no more.
        assert_eq!((turn(80), turn(120)), (Ok(seconds(80)), Ok(seconds(120))));
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn hosts_whose_turn_has_come_are_forgotten() {
        let (pace, now) = (Pace::default(), Instant::now());
        for host in 0..MANY {
            assert!(pace.turn(&host.to_string(), seconds(2), seconds(0), now).is_ok());
        }
        assert!(pace.turn("late", seconds(2), seconds(0), now + seconds(3)).is_ok());
        assert_eq!(pace.next.lock().map(|next| next.len()).unwrap_or_default(), 1);
    }
}
