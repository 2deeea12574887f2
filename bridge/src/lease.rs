//! One bridge at a time: a lease by the database's clock, and an epoch that fences who lost it.
//!
//! An advisory lock shows at once that a holder's session is gone; it says nothing of a holder that is stopped or
//! cut off, for which the lease has to run out. What makes a stale holder harmless is the epoch: every statement
//! that changes progress or flags names its own, and only the newest matches.

use std::time::{Duration, Instant};

use lifestream_envelope::postgres::Session;
use tokio_postgres::Client;

use crate::error::BridgeError;

/// How long a holder may go without renewing. Longer than [`crate::sender::MESSAGE_TIMEOUT`], see there.
pub const LEASE: Duration = Duration::from_secs(15);
/// How often an idle holder renews.
pub const RENEWAL: Duration = Duration::from_secs(2);
/// How often a standby looks whether the lease has run out; a session that ends it sees at once.
const STANDBY: Duration = Duration::from_millis(500);

/// The advisory lock that the holder's session keeps: the letters `lifestre`.
const LOCK: i64 = i64::from_be_bytes(*b"lifestre");

/// Ends the session that has the lock: the one of that server process, or whichever it is.
const END_HOLDER: &str = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_locks \
     WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND ($2::int4 IS NULL OR pid = $2) \
       AND ((classid::int8 << 32) | objid::int8) = $1 \
       AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())";

/// What an epoch starts from.
#[derive(Debug)]
pub struct Saved {
    /// Larger than any before; names this holder in every write.
    pub epoch: i64,
    /// The server process that has the lock.
    pub pid: i32,
    /// What the previous epoch saved; `None` before the first.
    pub previous: Option<Previous>,
}

/// The row that the previous epoch left.
#[derive(Debug)]
pub struct Previous {
    /// See `lifestream.bridge_progress`, as all that follow.
    pub database_identity: String,
    /// WAL timeline.
    pub timeline: i32,
    /// Every number up to here is settled.
    pub watermark: i64,
    /// The largest number seen.
    pub high: i64,
    /// The topic's name, with its prefix.
    pub topic: String,
    /// Kafka's id of it.
    pub topic_id: String,
    /// For each partition, the offset from which on records may lack their flag.
    pub offsets: Vec<i64>,
    /// Left with nothing in flight.
    pub closed: bool,
}

/// Waits for the lease and takes it, under a new epoch. To be cancelled by dropping the future.
///
/// The row keeps what the previous holder saved, but for epoch, holder and lease.
pub async fn take(session: &Session, holder: &str) -> Result<Saved, BridgeError> {
    let client = &session.client;
    // Since when nobody has held the lease, though somebody has the lock.
    let (mut waiting, mut nobody) = (false, None);
    loop {
        // A connection that is dead without a word would keep a standby from ever taking over.
        let asked = tokio::time::timeout(LEASE, try_lock(client)).await.map_err(|_| BridgeError::Silent)??;
        let current = match asked {
            Lock::Ours(pid) => return claim(client, holder, pid).await,
            Lock::Theirs(current) => current,
        };
        match current {
            Some((name, _, false)) => {
                nobody = None;
                if !std::mem::replace(&mut waiting, true) {
                    tracing::info!(holder = name, "another bridge is at work: standing by");
                }
            }
            // Behind a pooler the lock may outlive its bridge, in a session that others use, before a row names that.
            _ if nobody.get_or_insert_with(Instant::now).elapsed() > LEASE => {
                tracing::warn!("a session has the bridges' lock, and no bridge is at work: ending it");
                client.execute(END_HOLDER, &[&LOCK, &None::<i32>]).await?;
            }
            Some((name, pid, _)) => {
                tracing::warn!(holder = name, "the bridge that holds the lease has not renewed it: ending its session");
                // Frees the lock. A holder that is merely slow finds its epoch outdated. Only the session that has
                // the lock is meant: the number may be another's by now.
                client.execute(END_HOLDER, &[&LOCK, &Some(pid)]).await?;
            }
            None => {}
        }
        tokio::time::sleep(STANDBY).await;
    }
}

/// Whose the lock is.
enum Lock {
    /// With the server process that has it: behind a pooler not always the one that answers next.
    Ours(i32),
    /// With the row of whoever has it: name, server process, whether the lease is over.
    Theirs(Option<(String, i32, bool)>),
}

async fn try_lock(client: &Client) -> Result<Lock, BridgeError> {
    let row =
        client.query_one("SELECT pg_catalog.pg_try_advisory_lock($1), pg_catalog.pg_backend_pid()", &[&LOCK]).await?;
    if row.try_get(0)? {
        return Ok(Lock::Ours(row.try_get(1)?));
    }
    let sql = "SELECT holder, holder_pid, lease_until < pg_catalog.clock_timestamp() FROM lifestream.bridge_progress";
    let Some(row) = client.query_opt(sql, &[]).await? else { return Ok(Lock::Theirs(None)) };
    Ok(Lock::Theirs(Some((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))))
}

async fn claim(client: &Client, holder: &str, pid: i32) -> Result<Saved, BridgeError> {
    let row = client
        .query_opt(
            "UPDATE lifestream.bridge_progress \
             SET epoch = epoch + 1, holder = $1, holder_pid = $3, \
                 lease_until = pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $2) \
             RETURNING epoch, database_identity, timeline, watermark, high, topic, topic_id, offsets, closed",
            &[&holder, &LEASE.as_secs_f64(), &pid],
        )
        .await?;
    let Some(row) = row else {
        // The first epoch of all: its row is written when the start procedure knows the topic.
        return Ok(Saved { epoch: 1, pid, previous: None });
    };
    Ok(Saved {
        epoch: row.try_get(0)?,
        pid,
        previous: Some(Previous {
            database_identity: row.try_get(1)?,
            timeline: row.try_get(2)?,
            watermark: row.try_get(3)?,
            high: row.try_get(4)?,
            topic: row.try_get(5)?,
            topic_id: row.try_get(6)?,
            offsets: row.try_get(7)?,
            closed: row.try_get(8)?,
        }),
    })
}

/// Renews the lease. Returns when it ends then, by this process's monotonic clock: from before the database was asked.
///
/// `None` if there is no row of this epoch: another bridge took over, or this is the first epoch, before its row is written.
pub async fn renew(client: &Client, epoch: i64) -> Result<Option<Instant>, BridgeError> {
    let asked = Instant::now();
    let renewed = client
        .execute(
            "UPDATE lifestream.bridge_progress \
             SET lease_until = pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $2) WHERE epoch = $1",
            &[&epoch, &LEASE.as_secs_f64()],
        )
        .await?;
    Ok((renewed > 0).then(|| asked + LEASE))
}

/// Renews for as long as the start procedure takes; ends only with a fault. A lost lease shows in what it writes.
pub async fn keep(client: &Client, epoch: i64) -> BridgeError {
    loop {
        tokio::time::sleep(RENEWAL).await;
        match tokio::time::timeout(LEASE, renew(client, epoch)).await {
            Ok(Ok(_)) => {}
            Ok(Err(fault)) => return fault,
            Err(_) => return BridgeError::LeaseExpired,
        }
    }
}

/// A holder that does not begin gives its time back: it has changed nothing, and whoever looks need not wait.
pub async fn give_back(client: &Client, epoch: i64) -> Result<(), BridgeError> {
    const GIVE_BACK: &str =
        "UPDATE lifestream.bridge_progress SET lease_until = pg_catalog.clock_timestamp() WHERE epoch = $1";
    client.execute(GIVE_BACK, &[&epoch]).await?;
    Ok(())
}

/// Gives the lease up, so that a standby need not wait.
pub async fn release(client: &Client) -> Result<(), BridgeError> {
    client.execute("SELECT pg_catalog.pg_advisory_unlock($1)", &[&LOCK]).await?;
    Ok(())
}
