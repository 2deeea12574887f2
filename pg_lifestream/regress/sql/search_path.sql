-- What a caller puts in front of the search_path never runs as the table's owner, nor changes what is emitted
\pset format unaligned
\pset tuples_only on
CREATE ROLE regress_evil;
GRANT lifestream_emitter TO regress_evil;
CREATE SCHEMA evil AUTHORIZATION regress_evil;
SET ROLE regress_evil;
CREATE FUNCTION evil.loud() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil ran as %', current_user; END $$;
CREATE FUNCTION evil.same(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT evil.loud() IS NULL';
CREATE FUNCTION evil.same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT evil.loud() IS NULL';
CREATE FUNCTION evil.same(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT evil.loud() IS NULL';
CREATE OPERATOR evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evil.same);
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same);
CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.same);
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$SELECT evil.loud()::timestamptz$$;
CREATE FUNCTION evil.count() RETURNS bigint LANGUAGE sql AS $$SELECT evil.loud()::bigint$$;
CREATE DOMAIN evil.uuid AS pg_catalog.uuid CHECK (evil.loud() IS NULL);
CREATE DOMAIN evil.jsonb AS pg_catalog.jsonb CHECK (evil.loud() IS NULL);
CREATE TABLE evil.events (id int);
SET search_path = evil, pg_catalog, public;
SELECT emit_event('t', 's', 'sp-1', '{}', id => '00000000-0000-4000-8000-000000000801', expected_version => 0);
SELECT emit_event('t', 's', 'sp-1', '{}', id => '00000000-0000-4000-8000-000000000801', expected_version => 0);
SELECT emit_event('t', 's', 'sp-1', '{}', expected_version => 1) IS NOT NULL;
SELECT pg_catalog.count(*) FROM lifestream.emit_events('[{"event_type": "t", "subject": "s", "subject_id": "sp-1", "payload": {}, "expected_version": 2, "occurred_at": "2026-01-01"}]');
INSERT INTO lifestream.events (subject, subject_id, event_type) VALUES ('s', 'sp-1', 't');
SET search_path = public, evil;
SELECT emit_event('t', 's', 'sp-1', '{}', id => '00000000-0000-4000-8000-000000000802', expected_version => 4);
-- it acts as the caller again
SELECT current_user, attempt($$SELECT pg_catalog.count(payload) FROM lifestream.events$$);
RESET search_path;
RESET ROLE;
SELECT count(*) FROM lifestream.events WHERE subject_id = 'sp-1';
-- also after an error inside
SET ROLE regress_evil;
SELECT attempt($$SELECT public.emit_event('t', 's', 'sp-1', '[]', id => '00000000-0000-4000-8000-000000000803')$$);
SELECT current_user;
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA evil CASCADE;
DROP ROLE regress_evil;
