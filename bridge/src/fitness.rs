//! What a database must be like for the bridge to lose nothing: checked at every start.

use tokio_postgres::Client;

use crate::error::BridgeError;

/// Which database this is, and how far its numbers have come.
#[derive(Debug, Clone)]
pub struct Identity {
    /// `lifestream.database_identity()`.
    pub database: String,
    /// WAL timeline; another one after a promotion or a point-in-time recovery. That of what is written now: the last
    /// checkpoint's may be the old one for minutes.
    pub timeline: i32,
    /// The last `seq` that was drawn; 0 before the first.
    pub last_seq: i64,
}

impl Identity {
    /// For people who look at the topic of several databases.
    pub fn named(&self) -> String {
        format!("{}, timeline {}", self.database, self.timeline)
    }
}

/// Numbers must rise by one, each drawn by the statement that uses it, and all rows must be in this one table: the
/// gaps between numbers are what tells that something is still to come. The guards must fire for replicated rows too
/// (`pg_restore --disable-triggers` leaves them enabled for others only).
const QUERY: &str = "SELECT pg_catalog.pg_is_in_recovery(), \
         s.seqcache = 1 AND s.seqincrement = 1 AND NOT s.seqcycle, \
         3 = (SELECT count(*) FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND t.tgenabled = 'A' \
              AND t.tgname IN ('a_guard_event', 'a_refuse_change', 'a_refuse_delete')), \
         c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE c.oid IN (i.inhparent, i.inhrelid)), \
         lifestream.database_identity(), \
         CASE WHEN pg_catalog.pg_is_in_recovery() THEN 0 \
              ELSE ('x' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8))::bit(32)::int4 END, \
         COALESCE(pg_catalog.pg_sequence_last_value(s.seqrelid), 0) \
     FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_sequence s \
       ON s.seqrelid = pg_catalog.pg_get_serial_sequence('lifestream.events', 'seq')::regclass \
     WHERE c.oid = 'lifestream.events'::regclass";

/// # Errors
/// `Unfit` names what is wrong and what to do; on a standby the bridge waits for the promotion.
pub async fn check(client: &Client) -> Result<Identity, BridgeError> {
    let installed = client.query_one("SELECT pg_catalog.to_regclass('lifestream.events') IS NOT NULL", &[]).await?;
    if !installed.try_get::<_, bool>(0)? {
        return Err(BridgeError::Unfit(
            "this database has no pg_lifestream: run CREATE EXTENSION pg_lifestream in it, or point DATABASE_URL at another".into(),
        ));
    }
    let row = client.query_one(QUERY, &[]).await?;
    if row.try_get(0)? {
        return Err(BridgeError::Standby);
    }
    if !row.try_get::<_, bool>(1)? {
        return Err(BridgeError::Unfit(
            "the sequence of lifestream.events.seq was altered; put it back: ALTER SEQUENCE lifestream.events_seq_seq CACHE 1 INCREMENT 1 NO CYCLE".into(),
        ));
    }
    if !row.try_get::<_, bool>(2)? {
        return Err(BridgeError::Unfit(
            "the guards of lifestream.events are not enabled for every writer; put them back: ALTER TABLE lifestream.events ENABLE ALWAYS TRIGGER a_guard_event, ENABLE ALWAYS TRIGGER a_refuse_change, ENABLE ALWAYS TRIGGER a_refuse_delete".into(),
        ));
    }
    if !row.try_get::<_, bool>(3)? {
        return Err(BridgeError::Unfit(
            "lifestream.events must be a plain table without parents or children: rows elsewhere would never be published".into(),
        ));
    }
    Ok(Identity { database: row.try_get(4)?, timeline: row.try_get(5)?, last_seq: row.try_get(6)? })
}
