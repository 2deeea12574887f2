-- expected_version: how many events the subject has
\pset format unaligned
\pset tuples_only on
SELECT attempt($$SELECT emit_event('t', 's', 'v-1', '{}', expected_version => 1)$$);
SELECT emit_event('t', 's', 'v-1', '{}', expected_version => 0) IS NOT NULL;
SELECT attempt($$SELECT emit_event('t', 's', 'v-1', '{}', expected_version => 0)$$);
SELECT emit_event('t', 's', 'v-1', '{}', expected_version => 1) IS NOT NULL;
SELECT emit_event('t', 's', 'v-1', '{}') IS NOT NULL;
SELECT attempt($$SELECT emit_event('t', 's', 'v-1', '{}', expected_version => 2)$$);
SELECT attempt($$SELECT emit_event('t', 's', 'v-1', '{}', expected_version => 9223372036854775807)$$);
SELECT attempt($$SELECT emit_event('t', 's', '', '{}', expected_version => 0)$$);
-- the transaction's own events count, those of one statement too
SELECT n, emit_event('t', 's', 'v-2', '{}', expected_version => n) IS NOT NULL FROM generate_series(0, 3) n;
-- in any isolation level
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT emit_event('t', 's', 'v-2', '{}', expected_version => 4) IS NOT NULL;
SELECT emit_event('t', 's', 'v-2', '{}', expected_version => 5) IS NOT NULL;
COMMIT;
-- what a savepoint took back does not
BEGIN;
SAVEPOINT one;
SELECT emit_event('t', 's', 'v-2', '{}') IS NOT NULL;
ROLLBACK TO one;
SELECT emit_event('t', 's', 'v-2', '{}', expected_version => 6) IS NOT NULL;
COMMIT;
-- a repeat by id wins over the version
SELECT emit_event('t', 's', 'v-3', '{}', id => '00000000-0000-4000-8000-000000000301', expected_version => 0);
SELECT emit_event('t', 's', 'v-3', '{}', id => '00000000-0000-4000-8000-000000000301', expected_version => 0);
SELECT attempt($$SELECT emit_event('t', 's', 'v-3', '{}', id => '00000000-0000-4000-8000-000000000302', expected_version => 0)$$);
SELECT subject_id, count(*) FROM lifestream.events WHERE subject_id LIKE 'v-%' GROUP BY 1 ORDER BY 1;
-- a subject with very many events is not counted to its end
SELECT count(emit_event('t', 's', 'v-4', '{}')) FROM generate_series(1, 1500);
SELECT attempt($$SELECT emit_event('t', 's', 'v-4', '{}', expected_version => 5)$$);
SELECT attempt($$SELECT emit_event('t', 's', 'v-4', '{}', expected_version => 1499)$$);
SELECT emit_event('t', 's', 'v-4', '{}', expected_version => 1500) IS NOT NULL;
