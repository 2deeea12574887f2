-- A given id makes an emit idempotent
\pset format unaligned
\pset tuples_only on
SELECT emit_event('t', 's', 'id-1', '{"n": 1}', id => '00000000-0000-4000-8000-000000000101');
SELECT emit_event('t', 's', 'id-1', '{"n": 2}', id => '00000000-0000-4000-8000-000000000101', source => 'other', tenant_id => 'other');
SELECT emit_event('t', 's', 'id-1', '[]', id => '00000000-0000-4000-8000-000000000101');
SELECT count(*), min(payload::text) FROM lifestream.events WHERE subject_id = 'id-1';
-- another event with that id
SELECT attempt($$SELECT emit_event('u', 's', 'id-1', '{}', id => '00000000-0000-4000-8000-000000000101')$$);
SELECT attempt($$SELECT emit_event('t', 's', 'id-2', '{}', id => '00000000-0000-4000-8000-000000000101')$$);
SELECT attempt($$SELECT emit_event('', 's', 'id-1', '{}', id => '00000000-0000-4000-8000-000000000101')$$);
-- twice in one statement, and in one transaction after a savepoint took the first back
SELECT count(DISTINCT emit_event('t', 's', 'id-3', '{}', id => '00000000-0000-4000-8000-000000000103')) FROM generate_series(1, 5);
BEGIN;
SAVEPOINT one;
SELECT emit_event('t', 's', 'id-4', '{"n": 1}', id => '00000000-0000-4000-8000-000000000104');
ROLLBACK TO one;
SELECT emit_event('t', 's', 'id-4', '{"n": 2}', id => '00000000-0000-4000-8000-000000000104');
COMMIT;
SELECT subject_id, count(*), min(payload::text) FROM lifestream.events WHERE subject_id IN ('id-3', 'id-4') GROUP BY 1 ORDER BY 1;
-- a refused one leaves its id free
SELECT attempt($$SELECT emit_event('t', 's', 'id-5', '[]', id => '00000000-0000-4000-8000-000000000105')$$);
SELECT emit_event('t', 's', 'id-5', '{}', id => '00000000-0000-4000-8000-000000000105');
-- a plain INSERT is no repeat
SELECT attempt($$INSERT INTO lifestream.events (id, subject, subject_id, event_type) VALUES ('00000000-0000-4000-8000-000000000105', 's', 'id-5', 't')$$);
-- a repeat draws no number
SELECT last_value AS before FROM lifestream.events_seq_seq \gset
SELECT emit_event('t', 's', 'id-5', '{}', id => '00000000-0000-4000-8000-000000000105');
SELECT last_value = :before FROM lifestream.events_seq_seq;
