//! Which events have no effect in the state, because they are parked or discarded: they are left out of the shadows as well.

/// Whether an event (its id) has been applied by some group, and not only put away. A subquery's text.
macro_rules! taken_in {
    ($id:literal) => {
        concat!(
            "EXISTS (SELECT FROM lifestream.event_ingest_dedupe d WHERE d.event_id = ",
            $id,
            " AND d.consumer_group = ANY (ARRAY(SELECT DISTINCT o.consumer_group FROM lifestream.kafka_offsets o))
               AND NOT EXISTS (SELECT FROM lifestream.discarded x
                               WHERE x.stage = 'materializer' AND x.consumer_group = d.consumer_group AND x.event_id = d.event_id))"
        )
    };
}
pub(super) use taken_in;

/// For this session: the numbers that are left out, and what the shadows refused.
pub const TABLES: &str = "\
CREATE TEMPORARY TABLE lifestream_left_out (seq bigint PRIMARY KEY);
CREATE TEMPORARY TABLE lifestream_refused (event_id uuid, subject_id text, tenant_id text, seq bigint)";

/// Forgets what was left out.
pub const FORGET: &str = "DELETE FROM pg_temp.lifestream_left_out";

/// Asks anew: what is parked, discarded or was refused here, and what waits behind it, if no group has applied it. An event in
/// the archive waits for nothing: it was materialized.
pub const ASK: &str = concat!(
    "WITH aside AS MATERIALIZED (
    SELECT p.event_id FROM lifestream.parked p
    UNION SELECT x.event_id FROM lifestream.discarded x
    UNION SELECT r.event_id FROM pg_temp.lifestream_refused r
), head AS MATERIALIZED (
    SELECT p.subject_id, CASE WHEN p.stage = 'materializer' THEN p.tenant_id END AS tenant_id,
           coalesce(p.seq, (SELECT e.seq FROM lifestream.all_events e WHERE e.id = p.event_id), 0) AS seq
    FROM lifestream.parked p WHERE p.behind IS NULL AND p.subject_id IS NOT NULL
    UNION ALL
    SELECT r.subject_id, r.tenant_id, r.seq FROM pg_temp.lifestream_refused r
), candidate AS (
    SELECT e.id, e.seq FROM aside JOIN lifestream.all_events e ON e.id = aside.event_id
    UNION
    SELECT e.id, e.seq FROM head h
    JOIN lifestream.events e ON e.subject_id = h.subject_id AND e.seq > h.seq AND e.tenant_id = coalesce(h.tenant_id, e.tenant_id)
)
INSERT INTO pg_temp.lifestream_left_out SELECT c.seq FROM candidate c WHERE NOT ",
    taken_in!("c.id")
);
