-- Holds what was emitted against what was published and materialized, as far as this database knows: the flags, and where in
-- Kafka each event was taken in. `lifestream verify` reads Kafka as well.
--
-- One row a finding; ids: the first 1,000 in emit order, where the finding names events. Read of one snapshot:
--   emitted            received in from <= received_at < to (NULL: no bound), archived or not
--   published          of these, acknowledged by Kafka
--   not published      waits for the bridge
--   materialized       taken in by this consumer group
--   not materialized   published, and neither taken in nor set aside
--   parked, discarded  set aside with an error, by the bridge (no consumer_group) or by the group
--   doubled            twice among the events: in lifestream.events and in its archive
--   out of order       taken in behind an event of its subject that has a higher seq, from the same partition. Rightly so, perhaps: two
--                      transactions that emit for one subject side by side, without a lock taken before, commit in any order.
CREATE FUNCTION lifestream.verify("from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL)
RETURNS TABLE (finding text, consumer_group text, events bigint, ids uuid[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET work_mem = '64MB' AS $$
DECLARE
    first timestamptz := coalesce(verify."from", '-infinity');
    past timestamptz := coalesce(verify."to", 'infinity');
    "group" text;
BEGIN
    IF first >= past THEN
        RAISE EXCEPTION 'the range is empty: from % to %', first, past USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
    WITH counted AS (
        SELECT count(*) AS emitted, count(*) FILTER (WHERE e.published_to_kafka) AS published
        FROM lifestream.all_events e WHERE e.received_at >= first AND e.received_at < past
    ), waiting AS (
        -- Wherever it is: one below the bridge's watermark waits for ever.
        SELECT e.id, e.seq FROM lifestream.events e
        WHERE (SELECT c.emitted > c.published FROM counted c) AND NOT e.published_to_kafka AND e.received_at >= first AND e.received_at < past
          AND NOT EXISTS (SELECT FROM lifestream.parked p WHERE p.event_id = e.id AND p.stage = 'bridge')
          AND NOT EXISTS (SELECT FROM lifestream.discarded x WHERE x.event_id = e.id AND x.stage = 'bridge')
    )
    SELECT 'emitted', NULL::text, c.emitted, NULL::uuid[] FROM counted c
    UNION ALL SELECT 'published', NULL, c.published, NULL FROM counted c
    UNION ALL SELECT 'not published', NULL, count(*), ARRAY(SELECT w.id FROM waiting w ORDER BY w.seq LIMIT 1000) FROM waiting HAVING count(*) > 0;

    FOR "group" IN SELECT DISTINCT o.consumer_group FROM lifestream.kafka_offsets o ORDER BY 1 LOOP
        RETURN QUERY
        WITH counted AS (
            SELECT count(a.event_id) AS applied,
                   count(*) FILTER (WHERE a.event_id IS NULL AND a.published_to_kafka) AS missing,
                   count(*) FILTER (WHERE a.event_id IS NOT NULL AND a.seq < a.reached) AS late
            FROM (
                -- Late in its partition, whatever the subject: cheap, and rare enough to look at one by one.
                SELECT e.seq, e.published_to_kafka, d.event_id, max(e.seq) OVER (PARTITION BY d.topic, d.partition ORDER BY d."offset") AS reached
                FROM lifestream.all_events e
                LEFT JOIN lifestream.event_ingest_dedupe d ON d.consumer_group = "group" AND d.event_id = e.id
                WHERE e.received_at >= first AND e.received_at < past
            ) a
        ), missing AS (
            SELECT e.id, e.seq FROM lifestream.all_events e
            WHERE (SELECT c.missing > 0 FROM counted c) AND e.received_at >= first AND e.received_at < past AND e.published_to_kafka
              AND NOT EXISTS (SELECT FROM lifestream.event_ingest_dedupe d WHERE d.consumer_group = "group" AND d.event_id = e.id)
              AND NOT EXISTS (SELECT FROM lifestream.parked p WHERE p.event_id = e.id AND p.consumer_group = "group")
        ), late AS (
            SELECT a.id, a.seq FROM (
                SELECT e.id, e.seq, e.subject_id, d.topic, d.partition, d."offset",
                       max(e.seq) OVER (PARTITION BY d.topic, d.partition ORDER BY d."offset") AS reached
                FROM lifestream.all_events e
                JOIN lifestream.event_ingest_dedupe d ON d.consumer_group = "group" AND d.event_id = e.id
                WHERE (SELECT c.late > 0 FROM counted c) AND e.received_at >= first AND e.received_at < past
            ) a
            WHERE a.seq < a.reached AND EXISTS (
                SELECT FROM lifestream.all_events h
                JOIN lifestream.event_ingest_dedupe t ON t.consumer_group = "group" AND t.event_id = h.id
                WHERE h.subject_id = a.subject_id AND h.seq > a.seq AND t.topic = a.topic AND t.partition = a.partition AND t."offset" < a."offset")
        )
        SELECT 'materialized', "group", c.applied, NULL::uuid[] FROM counted c
        UNION ALL SELECT 'not materialized', "group", count(*), ARRAY(SELECT m.id FROM missing m ORDER BY m.seq LIMIT 1000) FROM missing HAVING count(*) > 0
        UNION ALL SELECT 'out of order', "group", count(*), ARRAY(SELECT l.id FROM late l ORDER BY l.seq LIMIT 1000) FROM late HAVING count(*) > 0;
    END LOOP;

    RETURN QUERY
    WITH aside AS (
        SELECT 'parked' AS finding, p.consumer_group, e.id, e.seq FROM lifestream.parked p JOIN lifestream.all_events e ON e.id = p.event_id
        WHERE e.received_at >= first AND e.received_at < past
        UNION ALL
        SELECT 'discarded', x.consumer_group, e.id, e.seq FROM lifestream.discarded x JOIN lifestream.all_events e ON e.id = x.event_id
        WHERE e.received_at >= first AND e.received_at < past
    ), doubled AS (
        SELECT e.id, e.seq FROM lifestream.events e JOIN lifestream.events_archive a USING (id)
        WHERE e.received_at >= first AND e.received_at < past
    )
    SELECT a.finding, a.consumer_group, count(*), (array_agg(a.id ORDER BY a.seq))[1:1000] FROM aside a GROUP BY 1, 2
    UNION ALL SELECT 'doubled', NULL, count(*), ARRAY(SELECT d.id FROM doubled d ORDER BY d.seq LIMIT 1000) FROM doubled HAVING count(*) > 0;
END $$;
COMMENT ON FUNCTION lifestream.verify(timestamptz, timestamptz) IS 'What was emitted, published and materialized of a range of received_at, and the events that are missing, doubled or out of order';
