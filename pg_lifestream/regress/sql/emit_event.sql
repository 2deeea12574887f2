-- emit_event: arguments, defaults, session settings
\pset format unaligned
\pset expanded on
SET application_name = 'golden';
SELECT pg_typeof(emit_event('note.created', 'note', 'ee-1', '{"text": "hello"}'));
SELECT * FROM emitted WHERE subject_id = 'ee-1';
SELECT occurred_at = received_at AS same, seq > 0 AS numbered, substr(id::text, 15, 1) AS version FROM lifestream.events WHERE subject_id = 'ee-1';

-- all arguments, by name
SELECT lifestream.emit_event(
    event_type => 'note.created', subject => 'note', subject_id => 'ee-2', payload => '{}', source => 'me',
    occurred_at => '2001-02-03 04:05:06.789012+00', id => '00000000-0000-4000-8000-0000000000e2',
    correlation_id => '00000000-0000-4000-8000-00000000000a', causation_id => '00000000-0000-4000-8000-00000000000b',
    tenant_id => 'acme', schema_version => 7, headers => '{"x": "1", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}',
    expected_version => 0);
SELECT * FROM emitted WHERE subject_id = 'ee-2';
SELECT occurred_at AT TIME ZONE 'UTC' AS occurred_at, correlation_id FROM lifestream.events WHERE subject_id = 'ee-2';

-- NULL for an optional argument is its default
SELECT emit_event('t', 's', 'ee-3', '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) IS NOT NULL AS emitted;
SELECT * FROM emitted WHERE subject_id = 'ee-3';

-- session settings
SET lifestream.source = 'from setting';
SET lifestream.correlation_id = '00000000-0000-4000-8000-0000000000c1';
SET lifestream.causation_id = '00000000-0000-4000-8000-0000000000c2';
SET lifestream.tenant_id = 'tenant 1';
SET lifestream.traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';
SELECT emit_event('t', 's', 'ee-4', '{}') IS NOT NULL AS emitted;
SELECT emit_event('t', 's', 'ee-4', '{}', headers => '{"a": "b"}') IS NOT NULL AS emitted;
-- what the caller gives wins
SELECT emit_event('t', 's', 'ee-4', '{}', source => 'given', correlation_id => '00000000-0000-4000-8000-0000000000d1',
    causation_id => '00000000-0000-4000-8000-0000000000d2', tenant_id => 'tenant 2',
    headers => '{"traceparent": "00-11111111111111111111111111111111-2222222222222222-01"}') IS NOT NULL AS emitted;
INSERT INTO lifestream.events (subject, subject_id, event_type) VALUES ('s', 'ee-4', 't');
SELECT e.*, correlation_id FROM lifestream.events JOIN LATERAL (SELECT source, tenant_id, causation_id, headers) e ON true
WHERE subject_id = 'ee-4' ORDER BY seq;
RESET lifestream.source;
RESET lifestream.correlation_id;
RESET lifestream.causation_id;
RESET lifestream.tenant_id;
RESET lifestream.traceparent;

-- source: without a setting the application's name, without that the session's user, whoever runs
SET application_name = '';
BEGIN;
SET LOCAL ROLE lifestream_emitter;
SELECT emit_event('t', 's', 'ee-5', '{}') IS NOT NULL AS emitted;
COMMIT;
SELECT source = session_user AS session_user FROM lifestream.events WHERE subject_id = 'ee-5';

-- numbers beyond any float stay as they are; so do escapes and key order of jsonb
SELECT emit_event('t', 's', 'ee-6', '{"big": 123456789012345678901234567890.123456789012345678901234567890, "small": 1e-400, "s": "\u00e9\n\"\\ \ud83d\ude00"}') IS NOT NULL AS emitted;
SELECT payload FROM lifestream.events WHERE subject_id = 'ee-6';

-- ids of one session rise, in one statement too
SELECT bool_and(id > before) AS rising, count(*) FROM (
    SELECT id, lag(id) OVER (ORDER BY n) AS before FROM (SELECT n, emit_event('t', 's', 'ee-7', '{}') AS id FROM generate_series(1, 1000) n) emitted
) ids;
SELECT bool_and(seq_order = id_order) AS same_order FROM (
    SELECT row_number() OVER (ORDER BY seq) AS seq_order, row_number() OVER (ORDER BY id) AS id_order FROM lifestream.events WHERE subject_id = 'ee-7') o;

-- triggers of the user's run, as the caller, whichever way an event is emitted
CREATE TABLE seen (n serial, trigger text, subject_id text, by_whom name);
GRANT INSERT ON seen TO lifestream_emitter;
GRANT USAGE ON SEQUENCE seen_n_seq TO lifestream_emitter;
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen (trigger, subject_id, by_whom) VALUES (tg_name, new.subject_id, current_user); RETURN new; END $$;
CREATE FUNCTION see_statement() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen (trigger, by_whom) VALUES (tg_name, current_user); RETURN NULL; END $$;
CREATE FUNCTION see_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen (trigger, subject_id, by_whom) SELECT tg_name, string_agg(subject_id, ', ' ORDER BY seq), current_user FROM added; RETURN NULL; END $$;
CREATE TRIGGER see_before BEFORE INSERT ON lifestream.events FOR EACH ROW EXECUTE FUNCTION see();
CREATE TRIGGER see_after AFTER INSERT ON lifestream.events FOR EACH ROW EXECUTE FUNCTION see();
CREATE TRIGGER see_before_statement BEFORE INSERT ON lifestream.events FOR EACH STATEMENT EXECUTE FUNCTION see_statement();
CREATE TRIGGER see_after_statement AFTER INSERT ON lifestream.events REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION see_all();
SET ROLE lifestream_emitter;
SELECT emit_event('t', 's', 'ee-8', '{}') IS NOT NULL AS emitted;
SELECT emit_event('t', 's', 'ee-8', '{}', id => '00000000-0000-4000-8000-0000000000e8', expected_version => 1);
SELECT emit_event('t', 's', 'ee-8', '{}', id => '00000000-0000-4000-8000-0000000000e8', expected_version => 1);
SELECT count(*) FROM lifestream.emit_events('[{"event_type":"t","subject":"s","subject_id":"ee-9","payload":{}},{"event_type":"t","subject":"s","subject_id":"ee-9b","payload":{},"id":"00000000-0000-4000-8000-0000000000e9"}]');
INSERT INTO lifestream.events (subject, subject_id, event_type) VALUES ('s', 'ee-9c', 't');
RESET ROLE;
\pset expanded off
SELECT trigger, subject_id, by_whom FROM seen ORDER BY n;
\pset expanded on
DROP TRIGGER see_before ON lifestream.events;
DROP TRIGGER see_after ON lifestream.events;
DROP TRIGGER see_before_statement ON lifestream.events;
DROP TRIGGER see_after_statement ON lifestream.events;

-- a trigger that drops the row, and one that emits
BEGIN;
CREATE FUNCTION drop_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER z BEFORE INSERT ON lifestream.events FOR EACH ROW WHEN (new.event_type = 'dropped') EXECUTE FUNCTION drop_row();
CREATE FUNCTION echo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM lifestream.emit_event('echo', 's', new.subject_id, '{}', causation_id => new.id); RETURN NULL; END $$;
CREATE TRIGGER echo AFTER INSERT ON lifestream.events FOR EACH ROW WHEN (new.event_type = 'call') EXECUTE FUNCTION echo();
SELECT emit_event('dropped', 's', 'ee-9d', '{}') IS NOT NULL AS emitted;
SELECT emit_event('dropped', 's', 'ee-9d', '{}', id => gen_random_uuid()) IS NOT NULL AS emitted;
SELECT emit_event('call', 's', 'ee-9d', '{}') IS NOT NULL AS emitted;
SELECT string_agg(event_type, ', ' ORDER BY seq) FROM lifestream.events WHERE subject_id = 'ee-9d';
ROLLBACK;

-- columns that the owner has added get their defaults; a constraint of his holds
BEGIN;
ALTER TABLE lifestream.events ADD COLUMN gone text DEFAULT 'gone';
ALTER TABLE lifestream.events ADD COLUMN extra text DEFAULT 'extra ' || current_user;
ALTER TABLE lifestream.events DROP COLUMN gone;
ALTER TABLE lifestream.events ADD COLUMN upper_type text GENERATED ALWAYS AS (upper(event_type)) STORED;
ALTER TABLE lifestream.events ADD COLUMN empty text;
ALTER TABLE lifestream.events ADD CONSTRAINT not_x CHECK (subject_id <> 'x');
SELECT emit_event('t', 's', 'ee-10', '{}') IS NOT NULL AS emitted;
SELECT emit_event('t', 's', 'ee-10', '{}', id => '00000000-0000-4000-8000-00000000e010');
SELECT count(*) FROM lifestream.emit_events('[{"event_type":"t","subject":"s","subject_id":"ee-10","payload":{}}]');
SELECT count(*), min(extra) = 'extra ' || current_user AS extra, min(upper_type), min(empty) FROM lifestream.events WHERE subject_id = 'ee-10';
SELECT split_part(attempt($$SELECT emit_event('t', 's', 'x', '{}')$$), E'\n', 1);
SELECT split_part(attempt($$SELECT emit_event('t', 's', 'x', '{}', id => gen_random_uuid())$$), E'\n', 1);
ROLLBACK;

-- read-only transactions emit nothing
BEGIN READ ONLY;
SELECT emit_event('t', 's', 'ee-11', '{}');
ROLLBACK;

-- two-phase commit needs the wake-up off
BEGIN;
SELECT emit_event('t', 's', 'ee-12', '{}') IS NOT NULL AS emitted;
PREPARE TRANSACTION 'golden';
BEGIN;
SET LOCAL lifestream.notify = off;
SELECT emit_event('t', 's', 'ee-12', '{"prepared": true}') IS NOT NULL AS emitted;
PREPARE TRANSACTION 'golden';
SELECT count(*) FROM lifestream.events WHERE subject_id = 'ee-12';
COMMIT PREPARED 'golden';
SELECT payload FROM lifestream.events WHERE subject_id = 'ee-12';

-- savepoints that emitted cost no memory once they are released (8 kB each, with a NOTIFY of their own)
BEGIN;
DO $$ BEGIN FOR n IN 1..1000 LOOP BEGIN PERFORM emit_event('t', 's', 'ee-14', '{}'); EXCEPTION WHEN no_data_found THEN NULL; END; END LOOP; END $$;
SELECT count(*) < 100 AS few FROM pg_backend_memory_contexts WHERE name = 'CurTransactionContext';
COMMIT;

-- an emit is on disk when its COMMIT returns, whatever synchronous_commit says
SET synchronous_commit = off;
BEGIN;
SELECT emit_event('t', 's', 'ee-13', '{}') IS NOT NULL AS emitted;
SELECT pg_current_wal_insert_lsn() AS emitted_at \gset
COMMIT;
SELECT pg_current_wal_flush_lsn() > :'emitted_at' AS flushed;
BEGIN;
INSERT INTO lifestream.events (subject, subject_id, event_type) VALUES ('s', 'ee-13', 't');
SELECT pg_current_wal_insert_lsn() AS emitted_at \gset
COMMIT;
SELECT pg_current_wal_flush_lsn() > :'emitted_at' AS flushed;
RESET synchronous_commit;
