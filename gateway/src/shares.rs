//! No token takes all the room: so many requests of one are under way at once, and no more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What each token has under way.
#[derive(Debug)]
pub struct Shares {
    most: usize,
    taken: Mutex<HashMap<String, usize>>,
}

/// One request's place in its token's share, until it is dropped.
#[derive(Debug)]
pub struct Place {
    shares: Arc<Shares>,
    name: String,
}

impl Shares {
    /// So many for each.
    pub fn new(most: usize) -> Self {
        Self { most, taken: Mutex::default() }
    }

    /// A place for a request of the token of that name, if it has one left.
    pub fn take(self: &Arc<Self>, name: &str) -> Option<Place> {
        let mut taken = self.taken();
        let count = taken.entry(name.to_owned()).or_default();
        (*count < self.most).then(|| {
            *count += 1;
            Place { shares: Arc::clone(self), name: name.to_owned() }
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(count) = self.shares.taken().get_mut(&self.name) {
            *count -= 1;
        }
    }
}
