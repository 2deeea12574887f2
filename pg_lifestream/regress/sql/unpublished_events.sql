-- unpublished_events: bounded by the bridge's watermark
\pset format unaligned
\pset tuples_only on
SELECT max(seq) AS before FROM lifestream.events \gset
SELECT count(emit_event('t', 's', 'u-1', jsonb_build_object('n', n))) FROM generate_series(1, 4) n;
-- no bridge yet: all that has no flag
SELECT payload FROM lifestream.unpublished_events WHERE subject_id = 'u-1' ORDER BY seq;
INSERT INTO lifestream.bridge_progress (epoch, holder, holder_pid, lease_until, database_identity, timeline, watermark, high, topic, topic_id, offsets, closed, saved_at)
VALUES (1, 'golden', 1, now(), lifestream.database_identity(), 1, :before + 1, :before + 4, 'events.raw', 'x', '{0}', true, now());
UPDATE lifestream.events SET published_to_kafka = true WHERE seq = :before + 3;
SELECT payload FROM lifestream.unpublished_events ORDER BY seq;
-- not by a scan of the table
INSERT INTO lifestream.events (subject, subject_id, event_type) SELECT 's', 'u-2', 't' FROM generate_series(1, 20000);
ANALYZE lifestream.events;
CREATE TABLE look_plan (line text);
DO $$ DECLARE line text; BEGIN
    FOR line IN EXPLAIN (COSTS off) SELECT * FROM lifestream.unpublished_events LOOP INSERT INTO look_plan VALUES (line); END LOOP;
END $$;
SELECT bool_or(line LIKE '%events_seq_key%') AS by_seq, bool_or(line LIKE '%Seq Scan on events%') AS scans FROM look_plan;
DROP TABLE look_plan;
-- a reader may ask how long the backlog is, long ones too
SET ROLE lifestream_reader;
SELECT backlog > 20000 FROM lifestream.pipeline_status WHERE stage = 'bridge';
RESET ROLE;
DELETE FROM lifestream.bridge_progress;
UPDATE lifestream.events SET published_to_kafka = true;
SELECT count(*) FROM lifestream.unpublished_events;
