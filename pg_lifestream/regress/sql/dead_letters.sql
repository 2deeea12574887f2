-- Dead letters: the whole story, what a person decides, and that any order of facts ends the same
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION public.message(attempt int, work_type text DEFAULT 'fetch_link') RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('id', lifestream.derived_id(format('work|00000000-0000-4000-8000-000000000001|%s|%s', work_type, attempt)),
        'subject_id', 'link:a', 'work_type', work_type, 'correlation_id', '00000000-0000-4000-8000-0000000000cc',
        'triggered_by_event_id', '00000000-0000-4000-8000-000000000001', 'attempt', attempt, 'max_attempts', 3,
        'traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'payload', '{"n": 1.10}'::jsonb)
$$;
CREATE FUNCTION public.failed(seq bigint, attempt int, error text, permanent boolean DEFAULT false, work_type text DEFAULT 'fetch_link')
RETURNS lifestream.events LANGUAGE sql AS $$
    SELECT public.example('work.failed', seq, 'link:a', jsonb_build_object('work_message', public.message(attempt, work_type), 'error', error,
        'agent', 'fetcher-agent-v2', 'permanent', permanent))
$$;
CREATE FUNCTION public.given_up(seq bigint, attempt int, error text) RETURNS lifestream.events LANGUAGE sql AS $$
    SELECT public.example('work.dead_lettered', seq, 'link:a', jsonb_build_object('work_message', public.message(attempt), 'error', error,
        'agent', 'fetcher-agent-v2', 'failed_at', '2026-01-01T00:03:00.5Z'))
$$;
SELECT apply(failed(2, 1, '503 Service Unavailable')), apply(failed(3, 2, 'timed out')), apply(failed(4, 3, 'timed out again')),
       apply(failed(5, 1, 'of other work', true, 'enrich_link'));
SELECT apply(given_up(6, 3, 'timed out again'));
\pset expanded on
\pset tuples_only off
SELECT * FROM lifestream.dead_letters;
\pset expanded off
SELECT * FROM lifestream.dead_letter_story ORDER BY attempt;
\pset tuples_only on
-- a repeat changes nothing, attempts that are pruned do not go from the story
CREATE TEMP TABLE kept AS SELECT d.* FROM lifestream.dead_letters d;
DELETE FROM lifestream.work_attempts;
SELECT apply(given_up(6, 3, 'timed out again'));
SELECT count(*) FROM (SELECT * FROM lifestream.dead_letters EXCEPT SELECT * FROM kept) differing;
DROP TABLE kept;

-- what a person decides
SELECT attempt('SELECT lifestream.retry_dead_letter(NULL)');
SELECT attempt('SELECT lifestream.discard_dead_letter(NULL)');
SELECT attempt($$SELECT lifestream.retry_dead_letter('00000000-0000-4000-8000-00000000ffff')$$);
SELECT attempt($$SELECT lifestream.discard_dead_letter('00000000-0000-4000-8000-00000000ffff', 'why not')$$);
SELECT attempt($$SELECT lifestream.retry_dead_letter('not an id')$$);
SET lifestream.tenant_id = 'not theirs';
SET lifestream.correlation_id = '00000000-0000-4000-8000-0000000000dd';
SET lifestream.traceparent = '00-11111111111111111111111111111111-2222222222222222-01';
SELECT lifestream.retry_dead_letter(id) FROM lifestream.dead_letters WHERE error LIKE '%again';
SELECT lifestream.retry_dead_letter(id) FROM lifestream.dead_letters;
RESET lifestream.tenant_id;
RESET lifestream.correlation_id;
RESET lifestream.traceparent;
SELECT lifestream.derived_id('decision|00000000-0000-4000-8000-000000000006');
SELECT id, event_type, subject, subject_id, payload, causation_id, tenant_id, headers FROM lifestream.events WHERE event_type LIKE 'work.%';
-- at once, before the materializer knows
SELECT status FROM lifestream.dead_letters;
SELECT regexp_replace(attempt($$SELECT lifestream.discard_dead_letter(id) FROM lifestream.dead_letters$$), ' at .*', ' at some time');
-- and after
SELECT apply('work.retry_requested', 7, 'link:a', '{"dead_letter_id": "00000000-0000-4000-8000-000000000006", "work_message": {}}');
SELECT status, decided_at, decided_seq FROM lifestream.dead_letters;
SELECT lifestream.retry_dead_letter(id) FROM lifestream.dead_letters;
-- it fails again: a dead letter of its own, whose story is all of it
SELECT apply(failed(2, 1, 'one')), apply(failed(3, 2, 'two')), apply(failed(4, 3, 'three')), apply(failed(8, 4, 'four', true));
SELECT apply(given_up(9, 4, 'four'));
SELECT seq, status, attempt, jsonb_array_length(attempts) FROM lifestream.dead_letters ORDER BY seq;
SELECT lifestream.discard_dead_letter(id, 'the site is gone') FROM lifestream.dead_letters WHERE status = 'open';
SELECT lifestream.discard_dead_letter('00000000-0000-4000-8000-000000000009', 'said again');
SELECT payload, causation_id FROM lifestream.events WHERE event_type = 'work.discarded';
SELECT regexp_replace(attempt($$SELECT lifestream.retry_dead_letter('00000000-0000-4000-8000-000000000009')$$), ' at .*', ' at some time');
SELECT apply('work.discarded', 10, 'link:a', '{"dead_letter_id": "00000000-0000-4000-8000-000000000009", "reason": "the site is gone"}');
SELECT seq, status, reason FROM lifestream.dead_letters ORDER BY seq;
-- the correlation is the dead letter's
SELECT forget();
SELECT apply(jsonb_populate_record(given_up(11, 3, 'e'), '{"correlation_id": "00000000-0000-4000-8000-0000000000cc", "tenant_id": "acme"}'));
SELECT lifestream.retry_dead_letter(id) IS NOT NULL FROM lifestream.dead_letters;
SELECT correlation_id, tenant_id FROM lifestream.events WHERE event_type = 'work.retry_requested' AND causation_id = '00000000-0000-4000-8000-000000000011';
-- in a transaction that is rolled back nothing was decided
SELECT forget();
SELECT apply(given_up(12, 3, 'e'));
BEGIN;
SELECT lifestream.retry_dead_letter('00000000-0000-4000-8000-000000000012') IS NOT NULL;
ROLLBACK;
SELECT lifestream.discard_dead_letter('00000000-0000-4000-8000-000000000012') IS NOT NULL;

-- whatever is given up is kept, work or not
SELECT forget();
SELECT apply('work.dead_lettered', 20, 'malformed', '{"error": "not a work message", "agent": "fetcher-agent-v2", "work_message": {"raw": "junk", "topic": "test-work.fetch_link", "partition": 2, "offset": 7}}');
SELECT apply('work.dead_lettered', 21, 'malformed', '{"error": "e", "work_message": {}}');
SELECT apply('work.dead_lettered', 22, 'malformed', '{"error": "e", "failed_at": "yesterday-ish", "work_message": {"id": "x", "work_type": "w", "attempt": 1e20, "triggered_by_event_id": 5}}');
SELECT apply('work.dead_lettered', 23, 'malformed', '{"error": "e", "failed_at": "9999999-01-01T00:00:00Z", "work_message": {"id": "00000000-0000-4000-8000-00000000000", "work_type": ["w"], "attempt": "2"}}');
SELECT seq, work_type, attempt, failed_at, work_id, triggered_by_event_id, attempts FROM lifestream.dead_letters ORDER BY seq;
SELECT work_type, attempt, agent, permanent, error FROM lifestream.dead_letter_story ORDER BY failed_at;
SELECT attempt($$SELECT lifestream.retry_dead_letter('00000000-0000-4000-8000-000000000020')$$);
SELECT lifestream.discard_dead_letter('00000000-0000-4000-8000-000000000020', 'junk') IS NOT NULL;
-- but it has to be said what and why
SELECT refused('work.dead_lettered', '{"error": "e"}');
SELECT refused('work.dead_lettered', '{"error": "e", "work_message": "m"}');
SELECT refused('work.dead_lettered', '{"work_message": {}}');
SELECT refused('work.dead_lettered', '{"error": " ", "work_message": {}}');
SELECT refused('work.dead_lettered', '{"error": "e", "agent": 5, "work_message": {}}');
SELECT refused('work.discarded', '{}');
SELECT refused('work.discarded', '{"dead_letter_id": "x"}');
SELECT refused('work.discarded', '{"dead_letter_id": "00000000-0000-4000-8000-000000000006", "reason": 5}');
SELECT refused('work.retry_requested', '{"dead_letter_id": 5}');
-- a retry that names no dead letter, as a tool may ask for one, changes no state
SELECT refused('work.retry_requested', '{"work_message": {}}');
SELECT count(*) FROM lifestream.dead_letters;

-- another tenant's
SELECT forget();
SELECT apply(given_up(30, 3, 'e'));
SELECT attempt($$SELECT apply('work.discarded', 31, 'link:a', '{"dead_letter_id": "00000000-0000-4000-8000-000000000030"}', 'b')$$);
SELECT attempt($$SELECT apply(jsonb_populate_record(given_up(30, 3, 'e'), '{"tenant_id": "b"}'))$$);
SELECT status FROM lifestream.dead_letters;

-- decided before it is known, and decided twice: the first decision counts
SELECT forget();
SELECT apply('work.discarded', 42, 'link:a', '{"dead_letter_id": "00000000-0000-4000-8000-000000000040"}');
SELECT status, work_type, error FROM lifestream.dead_letters;
SELECT attempt($$SELECT lifestream.discard_dead_letter('00000000-0000-4000-8000-000000000040')$$);
SELECT apply('work.retry_requested', 41, 'link:a', '{"dead_letter_id": "00000000-0000-4000-8000-000000000040", "work_message": {}}');
SELECT apply(given_up(40, 3, 'e'));
SELECT status, work_type, error, decided_seq FROM lifestream.dead_letters;

-- every order ends the same
SELECT * FROM ends(ARRAY[
    failed(2, 2, 'two'), failed(3, 3, 'three'), given_up(4, 3, 'three'),
    example('work.retry_requested', 5, 'link:a', '{"dead_letter_id": "00000000-0000-4000-8000-000000000004", "work_message": {}}'),
    failed(6, 4, 'four')]);
SELECT status, attempts FROM lifestream.dead_letters;
SELECT * FROM ends(ARRAY[
    given_up(4, 3, 'three'), given_up(7, 4, 'four'),
    example('work.discarded', 5, 'link:a', '{"dead_letter_id": "00000000-0000-4000-8000-000000000004", "reason": "r"}'),
    example('work.retry_requested', 6, 'link:a', '{"dead_letter_id": "00000000-0000-4000-8000-000000000004", "work_message": {}}'),
    failed(3, 3, 'three')]);
SELECT seq, status, reason FROM lifestream.dead_letters ORDER BY seq;
SELECT forget();
DROP FUNCTION public.failed, public.given_up, public.message;
-- ids are those that any language derives
SELECT lifestream.derived_id(name) FROM unnest(ARRAY['work|01890a5d-ac96-774b-bcce-b302099a8057|fetch_link|1', 'result|fetcher-agent-v2|9fca171a-e83a-5f57-82d9-e188accc5673', 'import|link:ab', '']) name;
SELECT lifestream.derived_id(NULL) IS NULL;
