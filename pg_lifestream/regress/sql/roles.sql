-- Who may do what with events
\pset format unaligned
\pset tuples_only on
SELECT rolname, rolcanlogin, rolsuper FROM pg_roles WHERE rolname LIKE 'lifestream\_%' ORDER BY 1;
SELECT r.rolname, string_agg(m.rolname, ', ' ORDER BY m.rolname) FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.member JOIN pg_roles m ON m.oid = a.roleid WHERE r.rolname LIKE 'lifestream\_%' GROUP BY 1;
CREATE ROLE regress_nobody;

CREATE FUNCTION attempt_as(name text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', name);
    answer := attempt(statement);
    RESET ROLE;
    RETURN name || ': ' || answer;
END $$;
SELECT statement, attempt_as(name, statement)
FROM unnest(ARRAY[
    $$SELECT lifestream.emit_event('t', 's', 'ro-1', '{}')$$,
    $$SELECT public.emit_event('t', 's', 'ro-1', '{}')$$,
    $$SELECT lifestream.emit_event('t', 's', 'ro-1', '{}', id => '00000000-0000-4000-8000-000000000701')$$,
    $$SELECT lifestream.emit_event('t', 's', 'ro-2', '{}', id => gen_random_uuid(), expected_version => (SELECT count(*) FROM pg_class WHERE false))$$,
    $$SELECT lifestream.emit_events('[{"event_type": "t", "subject": "s", "subject_id": "ro-1", "payload": {}}]')$$,
    $$SELECT lifestream.link_subject_id('https://example.org')$$,
    $$INSERT INTO lifestream.events (subject, subject_id, event_type, payload) VALUES ('s', 'ro-1', 't', '{}')$$,
    $$INSERT INTO lifestream.events (subject, subject_id, event_type, published_to_kafka) VALUES ('s', 'ro-1', 't', true)$$,
    $$INSERT INTO lifestream.events (seq, subject, subject_id, event_type) OVERRIDING SYSTEM VALUE VALUES (1, 's', 'ro-1', 't')$$,
    $$SELECT count(payload) FROM lifestream.events$$,
    $$SELECT count(*) FROM lifestream.unpublished_events$$,
    $$UPDATE lifestream.events SET published_to_kafka = true WHERE false$$,
    $$UPDATE lifestream.events SET payload = '{}' WHERE false$$,
    $$DELETE FROM lifestream.events WHERE false$$,
    $$TRUNCATE lifestream.events$$,
    $$SELECT nextval('lifestream.events_seq_seq')$$,
    $$SELECT setval('lifestream.events_seq_seq', 1)$$,
    $$SELECT count(*) FROM lifestream.bridge_progress$$,
    $$DELETE FROM lifestream.bridge_progress$$,
    $$SELECT lifestream.database_identity() IS NULL$$
]) WITH ORDINALITY AS s (statement, n), unnest(ARRAY['regress_nobody', 'lifestream_emitter', 'lifestream_reader', 'lifestream_bridge', 'lifestream_agent', 'lifestream_admin']) WITH ORDINALITY AS r (name, m)
ORDER BY n, m;
-- whoever emitted: ro-2 was new for the first of them only
SELECT count(*) FROM lifestream.events WHERE subject_id = 'ro-2';
-- PUBLIC has nothing
SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'lifestream'::regnamespace AND has_function_privilege('regress_nobody', p.oid, 'EXECUTE');
SELECT c.oid::regclass FROM pg_class c WHERE relnamespace = 'lifestream'::regnamespace AND c.relkind IN ('r', 'v', 'm') AND has_table_privilege('regress_nobody', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER');
-- every SECURITY DEFINER function pins its search_path
SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'lifestream'::regnamespace AND prosecdef AND NOT EXISTS (SELECT FROM unnest(proconfig) c WHERE c LIKE 'search_path=%');
DROP FUNCTION attempt_as;
DROP ROLE regress_nobody;
