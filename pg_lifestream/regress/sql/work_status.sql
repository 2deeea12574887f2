-- pipeline_status of router and agents: what they report, what waits, and whom they go easy on
\pset format unaligned
\pset tuples_only on
BEGIN;
SELECT stage, consumer_group, backlog, parked, last_error FROM lifestream.pipeline_status WHERE stage NOT IN ('bridge', 'materializer');
INSERT INTO lifestream.consumer_progress (consumer_group, stage, topic, partition, committed, high, oldest_at, rate, error) VALUES
    ('router-v1', 'router', 'events.raw', 0, 10, 10, now() - interval '9 hours', 4, NULL),
    ('router-v1', 'router', 'events.raw', 1, 10, 25, now() - interval '1 hour', 2, NULL),
    ('router-v1', 'router', 'events.raw', 2, 30, 20, NULL, 0, NULL),
    ('fetcher-agent-v2', 'fetcher', 'work.fetch_link', 0, 1, 3, now() - interval '2 hours', 1, 'Kafka: gone'),
    ('fetcher-agent-v2', 'fetcher', 'work.fetch_link', 1, 1, 3, now() - interval '3 hours', 1, 'Kafka: gone'),
    ('fetcher-agent-v3', 'fetcher', 'work.fetch_link', 0, 3, 3, NULL, 0, NULL);
SELECT stage, consumer_group, backlog, oldest_age, rate, parked, last_error FROM lifestream.pipeline_status WHERE stage NOT IN ('bridge', 'materializer') ORDER BY 1, 2;
-- nobody has reported for a while
UPDATE lifestream.consumer_progress SET updated_at = now() - interval '20 s';
SELECT stage, consumer_group, backlog, rate FROM lifestream.pipeline_status WHERE consumer_group LIKE '%agent%' ORDER BY 2;
-- circuits: whoever is gone easy on, unless nobody has had news of it for long
INSERT INTO lifestream.circuits (consumer_group, lane, state, failures, until, last_error, changed_at, holds_until) VALUES
    ('fetcher-agent-v2', 'slow.example', 'slow', 5, NULL, '503', now(), DEFAULT),
    ('fetcher-agent-v3', 'down.example', 'paused', 10, now() + interval '30 s', '500 Internal Server Error', now(), DEFAULT),
    ('fetcher-agent-v3', 'probed.example', 'probing', 11, NULL, NULL, now() - interval '1 s', DEFAULT),
    ('fetcher-agent-v3', 'gone.example', 'probing', 11, NULL, NULL, now() - interval '1 hour', now());
SELECT consumer_group, last_error FROM lifestream.pipeline_status WHERE stage = 'fetcher' ORDER BY 1;
SELECT split_part(attempt($$INSERT INTO lifestream.circuits (consumer_group, lane, state, failures) VALUES ('g', 'l', 'closed', 0)$$), E'\n', 1);
-- what waits for its time
INSERT INTO lifestream.pending_retries (work_id, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message, queued_at) VALUES
    ('00000000-0000-4000-8000-000000000001', 'fetch_link', '', 'link:a', 2, now() + interval '1 min', 'retry', '{"last_error": "first"}', now() - interval '10 s'),
    ('00000000-0000-4000-8000-000000000002', 'fetch_link', '', 'link:b', 1, now() + interval '2 min', 'circuit', '{"last_error": null}', now() - interval '20 s');
SELECT attempt($$INSERT INTO lifestream.pending_retries (work_id, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message)
    VALUES ('00000000-0000-4000-8000-000000000001', 'w', '', 's', 1, now(), 'retry', '{}') ON CONFLICT DO NOTHING$$);
SELECT split_part(attempt($$INSERT INTO lifestream.pending_retries (work_id, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message)
    VALUES (gen_random_uuid(), 'w', '', 's', 1, now(), $$ || v || ')'), E'\n', 1) FROM unnest(ARRAY[$$'boredom', '{}'$$, $$'retry', '[]'$$, $$'lane', '{}'$$]) v;
SELECT stage, backlog, oldest_age > interval '0', last_error FROM lifestream.pipeline_status WHERE stage = 'retries';
-- what waits for a person
SELECT apply('work.dead_lettered', 1, 'link:a', '{"error": "older", "failed_at": "2020-01-01T00:00:00Z", "work_message": {}}'),
       apply('work.dead_lettered', 2, 'link:b', '{"error": "newer", "failed_at": "2021-01-01T00:00:00Z", "work_message": {}}'),
       apply('work.dead_lettered', 3, 'link:c', '{"error": "decided", "failed_at": "2022-01-01T00:00:00Z", "work_message": {}}'),
       apply('work.discarded', 4, 'link:c', '{"dead_letter_id": "00000000-0000-4000-8000-000000000003"}');
SELECT stage, backlog, oldest_age > interval '5 years', last_error, updated_at = '2021-01-01T00:00:00Z' FROM lifestream.pipeline_status WHERE stage = 'dead_letters';
ROLLBACK;
