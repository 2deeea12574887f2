-- pipeline_status, from what the parts record
\pset format unaligned
\pset tuples_only on
BEGIN;
DELETE FROM lifestream.bridge_progress;
SELECT emit_event('note.created', 'note', 'status-1', '{}') IS NOT NULL;
SELECT stage, backlog > 0 AS waits, oldest_age IS NOT NULL AS ages, parked, last_error FROM lifestream.pipeline_status;
INSERT INTO lifestream.bridge_progress (epoch, holder, holder_pid, lease_until, database_identity, timeline, watermark, high, topic, topic_id, offsets, closed, saved_at)
VALUES (1, 'h', 1, now(), 'd', 1, 9000000, 9000000, 'events.raw', 'T', '{10,20,30}', true, now());
INSERT INTO lifestream.kafka_offsets (consumer_group, topic, partition, "offset", topic_id, last_received_at, rate, error) VALUES
    ('materializer-v1', 'events.raw', 0, 4, 'T', now() - interval '1 hour', 5, NULL),
    ('materializer-v1', 'events.raw', 1, 20, 'T', now() - interval '2 hours', 2, NULL),
    ('materializer-v1', 'events.raw', 2, 31, 'T', now(), 0, NULL);
SELECT stage, consumer_group, backlog, oldest_age, rate, parked, last_error FROM lifestream.pipeline_status;
INSERT INTO lifestream.parked (stage, consumer_group, event_id, seq, subject_id, error) VALUES
    ('materializer', 'materializer-v1', '00000000-0000-4000-8000-000000000001', 1, 's', 'bad url');
INSERT INTO lifestream.parked (stage, consumer_group, event_id, seq, subject_id, error, behind)
SELECT 'materializer', 'materializer-v1', '00000000-0000-4000-8000-000000000002', 2, 's', 'waits', id FROM lifestream.parked;
INSERT INTO lifestream.parked (stage, event_id, seq, subject_id, error) VALUES ('bridge', '00000000-0000-4000-8000-000000000001', 1, 's', 'too large');
SELECT stage, parked, last_error FROM lifestream.pipeline_status;
UPDATE lifestream.kafka_offsets SET error = 'made again' WHERE partition = 1;
SELECT stage, parked, last_error FROM lifestream.pipeline_status;
-- what was found stands there by name until it is accepted, or found to be no more
INSERT INTO lifestream.findings (name, about, found, remedy) VALUES
    ('foreign_events', 'd T', 'somebody else', 'a prefix'), ('lost_events', 'd T', 'two events', 'emit them');
UPDATE lifestream.kafka_offsets SET error = 'records_deleted: 1 to 9' WHERE partition = 1;
SELECT stage, last_error FROM lifestream.pipeline_status WHERE stage IN ('bridge', 'materializer');
SELECT lifestream.accept_finding('lost_events'), lifestream.accept_finding('records_deleted');
SELECT stage, last_error FROM lifestream.pipeline_status WHERE stage IN ('bridge', 'materializer');
SELECT attempt($$SELECT lifestream.accept_finding('nothing_such')$$);
-- an event parks once for each stage and group; what waits keeps the first one from going alone
SELECT attempt($$INSERT INTO lifestream.parked (stage, consumer_group, event_id, seq, error) VALUES ('materializer', 'materializer-v1', '00000000-0000-4000-8000-000000000001', 1, 'e')$$);
SELECT split_part(attempt($$INSERT INTO lifestream.parked (stage, error) VALUES ('nobody', 'e')$$), E'\n', 1);
SELECT split_part(attempt($$DELETE FROM lifestream.parked WHERE behind IS NULL$$), E'\n', 1);
ROLLBACK;
