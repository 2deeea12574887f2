-- What verify finds, and what waiting for an event finds out
\pset format unaligned
\pset tuples_only on
SELECT count(*) FROM lifestream.verify() WHERE finding NOT IN ('emitted', 'published');
INSERT INTO lifestream.events (id, received_at, subject, subject_id, event_type, payload)
SELECT numbered(8000 + n), timestamptz '2021-01-01' + n * interval '1 day', 's', 'v-' || n % 2, 't', jsonb_build_object('n', n) FROM generate_series(1, 12) n;
CREATE VIEW public.found AS
    SELECT finding, consumer_group, events, (SELECT string_agg(right(i::text, 4), ',' ORDER BY o) FROM unnest(ids) WITH ORDINALITY AS u (i, o)) AS ids
    FROM lifestream.verify('2021-01-01', '2021-02-01');
SELECT * FROM public.found;
-- 1 was passed over by the bridge, 2 is parked by it, 3 was discarded by it, all others are published
UPDATE lifestream.events SET published_to_kafka = true WHERE subject_id LIKE 'v-_' AND id > numbered(8003);
INSERT INTO lifestream.bridge_progress (epoch, holder, holder_pid, lease_until, database_identity, timeline, watermark, high, topic, topic_id, offsets, closed, saved_at)
SELECT 1, 'golden', 1, now(), lifestream.database_identity(), 1, max(seq), max(seq), 'events.raw', 'x', '{0}', true, now() FROM lifestream.events;
SELECT park(8002, 'v-0', NULL, 'bridge');
INSERT INTO lifestream.discarded (id, stage, event_id, error, attempts, parked_at) VALUES (99, 'bridge', numbered(8003), 'refused', 1, now());
SELECT * FROM public.found;
-- 4 and 5 not taken in; 6 parked; 8 behind 10 and 9 behind 11, each in one subject; 7 behind all of them, but in another partition
INSERT INTO lifestream.kafka_offsets (consumer_group, topic, partition, "offset") VALUES ('materializer-v1', 'events.raw', 0, 9);
INSERT INTO lifestream.event_ingest_dedupe (consumer_group, event_id, topic, partition, "offset")
SELECT 'materializer-v1', numbered(8000 + n), 'events.raw', p, o
FROM (VALUES (8, 0, 50), (10, 0, 40), (9, 1, 10), (7, 2, 20), (11, 1, 8), (12, 0, 60)) AS taken (n, p, o);
SELECT park(8006, 'v-0');
SELECT * FROM public.found;
-- an interval is half open; one with nothing in it says so, one the wrong way round is refused
SELECT finding, events FROM lifestream.verify('2021-01-05', '2021-01-06');
SELECT attempt('SELECT * FROM lifestream.verify(''2021-02-01'', ''2021-01-01'')');

-- waiting
SELECT lifestream.wait_for(numbered(8008), 'published', '0'), lifestream.wait_for(numbered(8008), 'materialized', '0');
SELECT lifestream.wait_for(numbered(8001), 'published', '10 ms'), lifestream.wait_for(numbered(8004), 'materialized', '10 ms');
-- not for what is set aside, and not for what this transaction itself holds back
SELECT lifestream.wait_for(numbered(8002), 'published', '1 hour'), lifestream.wait_for(numbered(8003), 'materialized', '1 hour'),
       lifestream.wait_for(numbered(8006), 'materialized', '1 hour'), lifestream.wait_for(numbered(8006), 'published', '1 hour');
BEGIN;
SELECT emit_event('t', 's', 'here', '{}', id => numbered(8100));
SELECT attempt('SELECT lifestream.wait_for(numbered(8100))');
SAVEPOINT a;
SELECT emit_event('t', 's', 'here', '{}', id => numbered(8101));
SAVEPOINT b;
SELECT attempt('SELECT lifestream.wait_for(numbered(8101))');
SELECT lifestream.wait_for(numbered(8008), 'published', '0');
ROLLBACK;
SELECT attempt('SELECT lifestream.wait_for(numbered(8100))');
SELECT attempt('SELECT lifestream.wait_for(NULL)');
SELECT attempt('SELECT lifestream.wait_for(numbered(8001), ''sent'')');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT attempt('SELECT lifestream.wait_for(numbered(8001))');
ROLLBACK;
SET ROLE lifestream_emitter;
SELECT lifestream.wait_for(numbered(8008));
SELECT attempt('SELECT * FROM lifestream.verify()');
RESET ROLE;
UPDATE lifestream.events SET published_to_kafka = true;
TRUNCATE lifestream.parked, lifestream.discarded, lifestream.event_ingest_dedupe, lifestream.kafka_offsets;
DELETE FROM lifestream.bridge_progress;
DROP VIEW public.found;
