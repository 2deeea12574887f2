-- add_projection, drop_projection, and who may
\pset format unaligned
\pset tuples_only on
SET timezone = 'UTC';
SET client_min_messages = notice;
CREATE SCHEMA app;
CREATE TABLE app.daily (event_id uuid PRIMARY KEY, day date NOT NULL, event_type text NOT NULL);
CREATE FUNCTION app.count_daily(e lifestream.events) RETURNS void LANGUAGE sql AS
    $$ INSERT INTO app.daily VALUES (e.id, e.occurred_at::date, e.event_type) ON CONFLICT DO NOTHING $$;
CREATE FUNCTION app.no_argument() RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION app.two(e lifestream.events, n int) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION app.answers(e lifestream.events) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app.sets(e lifestream.events) RETURNS SETOF void LANGUAGE sql AS '';
CREATE FUNCTION app.overloaded(e lifestream.events) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION app.overloaded(n int) RETURNS void LANGUAGE sql AS '';
SELECT attempt($$SELECT lifestream.add_projection('', 'app.count_daily')$$);
SELECT attempt($$SELECT lifestream.add_projection(NULL, 'app.count_daily')$$);
SELECT attempt($$SELECT lifestream.add_projection(repeat('x', 256), 'app.count_daily')$$);
SELECT attempt($$SELECT lifestream.add_projection('note.created', 'app.nowhere')$$);
SELECT attempt($$SELECT lifestream.add_projection('note.created', NULL)$$);
SELECT attempt($$SELECT lifestream.add_projection('note.created', 'app.no_argument')$$);
SELECT attempt($$SELECT lifestream.add_projection('note.created', 'app.two')$$);
SELECT attempt($$SELECT lifestream.add_projection('note.created', 'app.answers')$$);
SELECT attempt($$SELECT lifestream.add_projection('note.created', 'app.sets')$$);
SELECT attempt($$SELECT lifestream.add_projection('note.created', 'app.overloaded')$$);
SELECT attempt($$SELECT lifestream.add_projection('note.created', 'app.count_daily', '{app.nowhere}')$$);
SELECT attempt($$SELECT lifestream.add_projection('note.created', 'app.count_daily', '{lifestream.pipeline_status}')$$);
SELECT lifestream.add_projection('note.created', 'app.count_daily', '{app.daily}');
GRANT USAGE ON SCHEMA app TO lifestream_agent;
GRANT ALL ON app.daily TO lifestream_agent;
REVOKE EXECUTE ON FUNCTION app.count_daily FROM PUBLIC;
SELECT lifestream.add_projection('note.created', 'app.count_daily', '{app.daily}');
GRANT EXECUTE ON FUNCTION app.count_daily TO lifestream_agent;
SELECT lifestream.add_projection('note.created', 'app.count_daily', '{app.daily}');
SELECT lifestream.add_projection('link.added', 'app.count_daily', '{app.daily}');
SELECT event_type, function, tables, builtin FROM lifestream.projections WHERE function LIKE 'app.%' ORDER BY event_type;
SELECT apply('note.created', 1, 'note:1', '{}'), apply('note.created', 1, 'note:1', '{}');
SELECT day, event_type FROM app.daily;
SELECT attempt($$SELECT lifestream.drop_projection('note.created', 'app.nowhere')$$);
SELECT attempt($$SELECT lifestream.drop_projection('todo.created', 'app.count_daily')$$);
SELECT lifestream.drop_projection('link.added', 'app.count_daily');
DROP FUNCTION app.count_daily;
SELECT lifestream.drop_projection('note.created', 'app.count_daily');
SELECT count(*) FROM lifestream.projections WHERE NOT builtin;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;

-- only an administrator adds and drops; only the materializer writes state; a reader reads it
CREATE FUNCTION public.as_role(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    answer := split_part(public.attempt(statement), E'\n', 1);
    RESET ROLE;
    RETURN role || ' ' || answer;
END $$;
CREATE FUNCTION public.passing(e lifestream.events) RETURNS void LANGUAGE sql AS '';
GRANT EXECUTE ON FUNCTION public.attempt, public.passing TO PUBLIC;
SELECT as_role(r, 'SELECT lifestream.add_projection(''note.created'', ''public.passing'')')
FROM unnest(ARRAY['lifestream_emitter', 'lifestream_reader', 'lifestream_bridge', 'lifestream_agent', 'lifestream_admin']) r;
SELECT as_role(r, 'SELECT lifestream.drop_projection(''note.created'', ''public.passing'')')
FROM unnest(ARRAY['lifestream_reader', 'lifestream_agent', 'lifestream_admin']) r;
SELECT as_role(r, format('SELECT count(*) FROM lifestream.%I', t))
FROM unnest(ARRAY['lifestream_emitter', 'lifestream_reader']) r, unnest(ARRAY['links', 'annotations', 'pipeline_status', 'parked', 'event_ingest_dedupe', 'kafka_offsets']) t;
SELECT as_role(r, 'UPDATE lifestream.links SET title = ''x''')
FROM unnest(ARRAY['lifestream_emitter', 'lifestream_reader', 'lifestream_bridge', 'lifestream_agent']) r;
SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'lifestream'::regnamespace AND a.grantee = 0;
SELECT count(*) FROM pg_proc p WHERE p.pronamespace = 'lifestream'::regnamespace
    AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0));
DROP FUNCTION public.passing, public.as_role;
-- every state table names its tenant
SELECT string_agg(c.relname, ' ' ORDER BY c.relname COLLATE "C") FROM pg_class c
WHERE c.relnamespace = 'lifestream'::regnamespace AND c.oid IN (SELECT unnest(tables) FROM lifestream.projections)
    AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'tenant_id' AND attnotnull);
