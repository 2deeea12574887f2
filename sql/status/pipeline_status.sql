-- Where the pipeline stands, from what its parts record. Reads no published event.
CREATE VIEW lifestream.pipeline_status AS
WITH head AS MATERIALIZED (
    -- Counting is exact up to 10,000, then estimated from the sequence, so that a long backlog costs no more to look at.
    SELECT received_at FROM lifestream.unpublished_events ORDER BY seq LIMIT 10001
), unpublished AS (
    SELECT CASE WHEN count(*) <= 10000 THEN count(*)
                ELSE greatest(count(*), (SELECT last_value FROM lifestream.events_seq_seq)
                                        - (SELECT coalesce(max(watermark), 0) FROM lifestream.bridge_progress)) END AS backlog,
           min(received_at) AS oldest
    FROM head
), found AS (
    SELECT string_agg(f.name || ': ' || f.found || '; ' || f.remedy, '; ' ORDER BY f.found_at, f.name) AS error
    FROM lifestream.findings f WHERE f.accepted_at IS NULL
), set_aside AS (
    SELECT stage, consumer_group, count(*) AS parked, max(parked_at) AS parked_at,
           (array_agg(error ORDER BY id DESC) FILTER (WHERE behind IS NULL))[1] AS error
    FROM lifestream.parked GROUP BY stage, consumer_group
), consumed AS (
    SELECT o.consumer_group,
           sum(CASE WHEN b.topic IS NOT NULL THEN greatest(b.offsets[o.partition + 1] - o."offset", 0) END) AS backlog,
           min(o.last_received_at) FILTER (WHERE b.offsets[o.partition + 1] > o."offset") AS oldest,
           sum(CASE WHEN o.updated_at > now() - interval '15 s' THEN o.rate ELSE 0 END) AS rate,
           max(o.updated_at) AS updated_at,
           string_agg(o.error, '; ' ORDER BY o.partition) AS error
    FROM lifestream.kafka_offsets o LEFT JOIN lifestream.bridge_progress b ON b.topic = o.topic
    GROUP BY o.consumer_group
), avoided AS (
    SELECT c.consumer_group, string_agg(format('%s is %s: %s', c.lane, c.state, coalesce(c.last_error, 'no error given')), '; '
                                        ORDER BY c.changed_at DESC, c.lane) AS error
    FROM lifestream.circuits c WHERE c.holds_until > now() GROUP BY c.consumer_group
), reported AS (
    SELECT p.stage, p.consumer_group, sum(greatest(p.high - p.committed, 0)) AS backlog,
           min(p.oldest_at) FILTER (WHERE p.high > p.committed) AS oldest,
           sum(CASE WHEN p.updated_at > now() - interval '15 s' THEN p.rate ELSE 0 END) AS rate,
           max(p.updated_at) AS updated_at,
           string_agg(DISTINCT p.error, '; ') AS error
    FROM lifestream.consumer_progress p GROUP BY p.stage, p.consumer_group
)
SELECT 'bridge' AS stage, NULL::text AS consumer_group, u.backlog, now() - u.oldest AS oldest_age,
       NULL::double precision AS rate, coalesce(s.parked, 0) AS parked, coalesce(f.error, s.error) AS last_error,
       (SELECT saved_at FROM lifestream.bridge_progress) AS updated_at
FROM unpublished u CROSS JOIN found f LEFT JOIN set_aside s ON s.stage = 'bridge'
UNION ALL
SELECT 'materializer', c.consumer_group, c.backlog::bigint, CASE WHEN c.backlog > 0 THEN now() - c.oldest END,
       c.rate::double precision, coalesce(s.parked, 0), coalesce(c.error, s.error), c.updated_at
FROM consumed c LEFT JOIN set_aside s ON s.stage = 'materializer' AND s.consumer_group = c.consumer_group
UNION ALL
SELECT r.stage, r.consumer_group, r.backlog::bigint, CASE WHEN r.backlog > 0 THEN now() - r.oldest END,
       r.rate::double precision, 0, coalesce(p.error, r.error), r.updated_at
FROM reported r LEFT JOIN avoided p USING (consumer_group)
UNION ALL
SELECT 'retries', NULL, count(*), now() - min(q.queued_at), NULL, 0,
       (SELECT w.work_message ->> 'last_error' FROM lifestream.pending_retries w ORDER BY w.not_before LIMIT 1), max(q.queued_at)
FROM lifestream.pending_retries q
UNION ALL
SELECT 'dead_letters', NULL, count(*), now() - min(d.failed_at), NULL, 0,
       (SELECT l.error FROM lifestream.dead_letters l WHERE l.status = 'open' ORDER BY l.failed_at DESC LIMIT 1), max(d.failed_at)
FROM lifestream.dead_letters d WHERE d.status = 'open';
COMMENT ON VIEW lifestream.pipeline_status IS 'Where the pipeline stands: one row for each stage (and consumer group)';
COMMENT ON COLUMN lifestream.pipeline_status.backlog IS 'bridge: unpublished events (estimated beyond 10,000); materializer: records that are in Kafka, as far as the bridge has recorded, and not applied; router and agents: records of their topic that are not done; retries: work that waits for its time; dead_letters: those that are open';
COMMENT ON COLUMN lifestream.pipeline_status.oldest_age IS 'bridge: of the oldest unpublished event; materializer: of the last event applied in the partition that is furthest behind, so at least as old as the oldest that waits; router and agents: of the oldest record not done; retries, dead_letters: since the oldest of them failed; null with no backlog';
COMMENT ON COLUMN lifestream.pipeline_status.rate IS 'records a second over the last seconds of work, 0 when idle; null where it is not measured';
COMMENT ON COLUMN lifestream.pipeline_status.parked IS 'rows in lifestream.parked';
COMMENT ON COLUMN lifestream.pipeline_status.last_error IS 'what holds the stage up or what it has found, by name and with the command that resolves it, such as lost_events; a host or API that is slowed down or paused; else the error of the event parked last';
COMMENT ON COLUMN lifestream.pipeline_status.updated_at IS 'when the stage last recorded progress';
