-- Events that leave their table, and who still finds them
\pset format unaligned
\pset tuples_only on
TRUNCATE lifestream.parked, lifestream.discarded, lifestream.event_ingest_dedupe, lifestream.kafka_offsets RESTART IDENTITY;
DELETE FROM lifestream.bridge_progress;
UPDATE lifestream.events SET published_to_kafka = true WHERE NOT published_to_kafka;
INSERT INTO lifestream.events (id, received_at, subject, subject_id, event_type, payload)
SELECT numbered(9000 + n), timestamptz '2020-01-01' + n * interval '1 day', 's', 'kept-' || n % 2, 't', jsonb_build_object('n', n) FROM generate_series(1, 8) n;
CREATE VIEW public.places AS
    SELECT 'events' AS place, payload ->> 'n' AS n FROM lifestream.events WHERE subject_id LIKE 'kept-_'
    UNION ALL SELECT 'archive', payload ->> 'n' FROM lifestream.events_archive;
CREATE VIEW public.placed AS SELECT place, string_agg(n, ',' ORDER BY n) FROM public.places GROUP BY 1 ORDER BY 1;

-- nothing before a bridge has been here, and nothing that it has not left behind
CALL lifestream.archive('2020-01-08', 1000000);
SELECT max(seq) AS last FROM lifestream.events \gset
INSERT INTO lifestream.bridge_progress (epoch, holder, holder_pid, lease_until, database_identity, timeline, watermark, high, topic, topic_id, offsets, closed, saved_at)
VALUES (1, 'golden', 1, now(), lifestream.database_identity(), 1, :last - 1, :last, 'events.raw', 'x', '{0}', true, now());
CALL lifestream.archive('2020-01-08', 1000000);
UPDATE lifestream.events SET published_to_kafka = true WHERE subject_id LIKE 'kept-_' AND payload <> '{"n": 2}';
-- 1, 3 and 4: 2 is not published, 5 not taken in, 6 parked, 7 too young, 8 above the watermark
INSERT INTO lifestream.kafka_offsets (consumer_group, topic, partition, "offset") VALUES ('materializer-v1', 'events.raw', 0, 9);
INSERT INTO lifestream.event_ingest_dedupe (consumer_group, event_id, topic, partition, "offset")
SELECT 'materializer-v1', id, 'events.raw', 0, (payload ->> 'n')::bigint FROM lifestream.events WHERE subject_id LIKE 'kept-_' AND payload <> '{"n": 5}';
SELECT park(9006, 'kept-0', NULL, 'bridge');
CALL lifestream.archive('2020-01-08', 1000000);
SELECT * FROM public.placed;
CALL lifestream.archive('2020-01-08', 1000000);

-- an id is used once, wherever its event is
SELECT count(*) FROM lifestream.events WHERE subject_id LIKE 'kept-_' \gset in_events_
SELECT emit_event('t', 's', 'kept-1', '{"again": true}', id => numbered(9001));
SELECT attempt('SELECT emit_event(''t'', ''s'', ''another'', ''{}'', id => numbered(9001))');
SELECT attempt('INSERT INTO lifestream.events (id, subject, subject_id, event_type) VALUES (numbered(9003), ''s'', ''kept-1'', ''t'')');
SELECT attempt('INSERT INTO lifestream.events (id, subject, subject_id, event_type) VALUES (numbered(9005), ''s'', ''kept-1'', ''t'')');
SELECT count(*) = :in_events_count FROM lifestream.events WHERE subject_id LIKE 'kept-_';
-- and a subject has as many events as it ever had
SELECT attempt('SELECT emit_event(''t'', ''s'', ''kept-1'', ''{}'', expected_version => 2)');
SELECT count(*) FROM lifestream.all_events WHERE subject_id = 'kept-1';
SELECT lifestream.wait_for(numbered(9001), 'published'), lifestream.wait_for(numbered(9001));
SELECT * FROM lifestream.idempotency_fingerprint(numbered(9001));

-- append-only there too, and nobody else moves anything
SELECT attempt('DELETE FROM lifestream.events_archive');
SELECT attempt('UPDATE lifestream.events_archive SET payload = ''{}''');
SELECT attempt('TRUNCATE lifestream.events_archive');
SELECT attempt('SELECT lifestream.move_to_archive(0, 99999999, now())');
SET ROLE lifestream_emitter;
SELECT attempt('SELECT lifestream.archive_batch(0, 99999999, now())');
SELECT attempt('SELECT lifestream.unarchive_batch(1)');
RESET ROLE;
SELECT attempt('CALL lifestream.archive(NULL)');
SELECT attempt('CALL lifestream.archive(''2020-01-08'', 0)');
-- after a move, as before
SELECT attempt('DELETE FROM lifestream.events WHERE id = numbered(9005)');

-- what was parked or late goes another time, at an administrator's word
INSERT INTO lifestream.event_ingest_dedupe (consumer_group, event_id, topic, partition, "offset") VALUES ('materializer-v1', numbered(9005), 'events.raw', 0, 5);
SET ROLE lifestream_admin;
CALL lifestream.archive('2020-01-08', batch => 1000000);
RESET ROLE;

-- back again, while no bridge works here: after a reset
SELECT attempt('SELECT lifestream.unarchive_batch(2)');
DELETE FROM lifestream.bridge_progress;
SELECT lifestream.unarchive_batch(2), lifestream.unarchive_batch(20), lifestream.unarchive_batch(20);
SELECT * FROM public.placed;
SELECT string_agg(payload ->> 'n', ',' ORDER BY seq) FROM lifestream.unpublished_events WHERE subject_id LIKE 'kept-_';
UPDATE lifestream.events SET published_to_kafka = true;
TRUNCATE lifestream.parked, lifestream.event_ingest_dedupe, lifestream.kafka_offsets;
DROP VIEW public.placed, public.places;
