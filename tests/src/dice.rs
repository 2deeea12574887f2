//! Random numbers that can be had again.

use std::time::{SystemTime, UNIX_EPOCH};

/// Random numbers from a seed (SplitMix64), so that what they decided can be run again.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The same numbers for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From the seed that this environment variable gives, else from another one each time; prints it.
    ///
    /// # Panics
    /// If it gives no number.
    pub fn of(variable: &str) -> Self {
        let seed = match std::env::var(variable) {
            Ok(seed) => seed.parse().unwrap_or_else(|error| panic!("{variable}={seed}: {error}")),
            Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs()),
        };
        println!("{variable}={seed}");
        Self(seed)
    }

    /// A number from 0 to below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from((z ^ (z >> 31)) % bound).unwrap_or(0)
    }

    /// Another sequence of numbers, for another thread.
    pub fn another(&mut self) -> Self {
        Self(self.0.rotate_left(17) ^ u64::try_from(self.below(usize::MAX)).unwrap_or(0))
    }

    /// The same things in a random order.
    pub fn shuffled<T>(&mut self, mut things: Vec<T>) -> Vec<T> {
        for last in (1..things.len()).rev() {
            things.swap(last, self.below(last + 1));
        }
        things
    }
}
