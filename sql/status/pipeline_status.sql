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
)
SELECT 'bridge' AS stage, NULL::text AS consumer_group, u.backlog, now() - u.oldest AS oldest_age,
       NULL::double precision AS rate, coalesce(s.parked, 0) AS parked, s.error AS last_error,
       (SELECT saved_at FROM lifestream.bridge_progress) AS updated_at
FROM unpublished u LEFT JOIN set_aside s ON s.stage = 'bridge'
UNION ALL
SELECT 'materializer', c.consumer_group, c.backlog::bigint, CASE WHEN c.backlog > 0 THEN now() - c.oldest END,
       c.rate::double precision, coalesce(s.parked, 0), coalesce(c.error, s.error), c.updated_at
FROM consumed c LEFT JOIN set_aside s ON s.stage = 'materializer' AND s.consumer_group = c.consumer_group;
COMMENT ON VIEW lifestream.pipeline_status IS 'Where the pipeline stands: one row for each stage (and consumer group)';
COMMENT ON COLUMN lifestream.pipeline_status.backlog IS 'bridge: unpublished events (estimated beyond 10,000); materializer: records that are in Kafka, as far as the bridge has recorded, and not applied';
COMMENT ON COLUMN lifestream.pipeline_status.oldest_age IS 'bridge: of the oldest unpublished event; materializer: of the last event applied in the partition that is furthest behind, so at least as old as the oldest that waits; null with no backlog';
COMMENT ON COLUMN lifestream.pipeline_status.rate IS 'records a second over the last seconds of work, 0 when idle; null where it is not measured';
COMMENT ON COLUMN lifestream.pipeline_status.parked IS 'rows in lifestream.parked';
COMMENT ON COLUMN lifestream.pipeline_status.last_error IS 'what holds the stage up, else the error of the event parked last';
COMMENT ON COLUMN lifestream.pipeline_status.updated_at IS 'when the stage last recorded progress';
