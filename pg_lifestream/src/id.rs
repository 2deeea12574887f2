//! Event ids: UUIDs, version 7 where the caller gives none.

use std::cell::RefCell;

use pgrx::pg_sys;

/// The octets of a uuid, as PostgreSQL stores them.
pub type Id = [u8; 16];

/// PostgreSQL counts microseconds from 2000-01-01; UUIDs count from 1970-01-01.
const EPOCH_OFFSET_US: i64 = 946_684_800_000_000;

struct Generator {
    last: u64,
    pool: [u8; 1024],
    left: usize,
}

thread_local! {
    // Filled on first use, so in a backend of its own and never in the postmaster that all are forked from.
    static GENERATOR: RefCell<Generator> = const { RefCell::new(Generator { last: 0, pool: [0; 1024], left: 0 }) };
}

/// A version 7 uuid by RFC 9562 (method 3): 48 bits of Unix milliseconds, 12 bits of the millisecond's fraction, 62
/// random bits. Rising within a session, also where the clock stands still or goes back.
pub fn new_v7() -> Id {
    // SAFETY: reads the clock.
    let us = (unsafe { pg_sys::GetCurrentTimestamp() } + EPOCH_OFFSET_US).max(0) as u64;
    GENERATOR.with_borrow_mut(|generator| {
        let clock = ((us / 1000) << 12) | ((us % 1000) * 4096 / 1000);
        let time = clock.max(generator.last + 1);
        generator.last = time;
        let random = generator.random();
        let mut id = [0; 16];
        id[..8].copy_from_slice(&((time >> 12) << 16 | 0x7000 | (time & 0xFFF)).to_be_bytes());
        id[8..].copy_from_slice(&random);
        id[8] = id[8] & 0x3F | 0x80;
        id
    })
}

impl Generator {
    fn random(&mut self) -> [u8; 8] {
        if self.left == 0 {
            // SAFETY: the pool is ours and as long as said.
            if !unsafe { pg_sys::pg_strong_random(self.pool.as_mut_ptr().cast(), self.pool.len()) } {
                pgrx::ereport!(ERROR, pgrx::PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, "no random numbers to be had");
            }
            self.left = self.pool.len();
        }
        self.left -= 8;
        let mut random = [0; 8];
        random.copy_from_slice(&self.pool[self.left..self.left + 8]);
        random
    }
}

/// A uuid as people write it; `None` if it is none.
pub fn parse(text: &[u8]) -> Option<Id> {
    uuid::Uuid::try_parse_ascii(text).ok().map(uuid::Uuid::into_bytes)
}

/// As PostgreSQL prints it.
pub fn shown(id: &Id) -> String {
    uuid::Uuid::from_bytes(*id).to_string()
}
