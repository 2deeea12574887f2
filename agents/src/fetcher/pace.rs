//! Keeps requests to one host apart, also those that no task's lane knows of: robots.txt and redirects from elsewhere.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When each host may be asked again.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    next: Mutex<HashMap<String, Instant>>,
}

/// From so many hosts on, those that may be asked are forgotten.
const MANY: usize = 1000;

impl Pace {
    /// At least so long between the starts of two requests to one host.
    pub fn new(interval: Duration) -> Self {
        Self { interval, next: Mutex::default() }
    }

    /// Waits for the host's turn.
    pub async fn wait(&self, host: &str) {
        tokio::time::sleep_until(self.turn(host, Instant::now())).await;
    }

    fn turn(&self, host: &str, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.len() >= MANY {
            next.retain(|_, at| *at > now);
        }
        let turn = next.get(host).map_or(now, |at| now.max(*at));
        next.insert(host.to_owned(), turn + self.interval);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_to_one_host_are_apart_and_those_to_others_do_not_wait() {
        let pace = Pace::new(Duration::from_secs(2));
        let now = Instant::now();
        let turns: Vec<_> = ["a:80", "a:80", "b:80", "a:80"].iter().map(|host| pace.turn(host, now) - now).collect();
        assert_eq!(turns, [0, 2, 0, 4].map(Duration::from_secs));
        assert_eq!(pace.turn("a:80", now + Duration::from_secs(60)) - now, Duration::from_secs(60));
    }

    #[test]
    fn hosts_whose_turn_has_come_are_forgotten() {
        let pace = Pace::new(Duration::from_secs(2));
        let now = Instant::now();
        for host in 0..MANY {
            pace.turn(&host.to_string(), now);
        }
        pace.turn("late", now + Duration::from_secs(3));
        assert_eq!(pace.next.lock().map(|next| next.len()).unwrap_or_default(), 1);
    }
}
