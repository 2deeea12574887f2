-- Routes: which events become work, and what add_route will not take
\pset format unaligned
\pset tuples_only on
SET client_min_messages = notice;
SELECT event_type, work_type, guard, payload_map, max_attempts, backoff, builtin FROM lifestream.routes ORDER BY event_type, work_type;
CREATE SCHEMA "App";
CREATE FUNCTION "App"."Is wanted"(e lifestream.events) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION "App".payload(e lifestream.events) RETURNS jsonb LANGUAGE sql AS 'SELECT e.payload';
CREATE FUNCTION "App".no_argument() RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION "App".two(e lifestream.events, n int) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION "App".another(e lifestream.links) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION "App".number(e lifestream.events) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION "App".many(e lifestream.events) RETURNS SETOF boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION "App".overloaded(e lifestream.events) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION "App".overloaded(n int) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE PROCEDURE "App".proc(e lifestream.events) LANGUAGE sql AS '';
CREATE AGGREGATE "App".agg(lifestream.events) (SFUNC = array_append, STYPE = lifestream.events[]);

-- names
SELECT attempt($$SELECT lifestream.add_route('', 'w')$$);
SELECT attempt($$SELECT lifestream.add_route('  ', 'w')$$);
SELECT attempt($$SELECT lifestream.add_route(NULL, 'w')$$);
SELECT attempt($$SELECT lifestream.add_route(repeat('x', 256), 'w')$$);
SELECT attempt(format('SELECT lifestream.add_route(%L, %L)', e, 'w')) FROM unnest(ARRAY['work.failed', 'work.retry_requested']) e;
SELECT attempt($$SELECT lifestream.add_route('note.created', NULL)$$);
SELECT attempt(format('SELECT lifestream.add_route(%L, %L)', 'note.created', w))
FROM unnest(ARRAY['', 'Summarise', 'two words', 'a/b', E'line\n', E'line\nend', repeat('x', 201), 'dead_letter', 'dead.letter', 'fetch.link']) w;
SELECT attempt(format('SELECT lifestream.add_route(%L, %L)', 'note.created', repeat('x', 200)));
SELECT lifestream.drop_route('note.created', repeat('x', 200));
-- numbers
SELECT attempt(format('SELECT lifestream.add_route(%L, %L, max_attempts => %L)', 'note.created', 'w', n)) FROM unnest(ARRAY[NULL, 0, -1, 1001]) n;
SELECT attempt(format('SELECT lifestream.add_route(%L, %L, backoff => %L)', 'note.created', 'w', b)) FROM unnest(ARRAY['0', '-1 s', 'soon']) b;
-- functions
SELECT attempt(format('SELECT lifestream.add_route(%L, %L, guard => %L)', 'note.created', 'w', f))
FROM unnest(ARRAY['"App".nowhere', '"App".no_argument', '"App".two', '"App".another', '"App".number', '"App".many', '"App".overloaded', '"App".proc', '"App".agg', '"App".payload', '0', '4294967295']) f;
SELECT attempt($$SELECT lifestream.add_route('note.created', 'w', payload_map => '"App"."Is wanted"')$$);
SELECT count(*) FROM lifestream.routes WHERE NOT builtin;

-- what the router may not call is said at once
REVOKE EXECUTE ON FUNCTION "App"."Is wanted" FROM PUBLIC;
SELECT lifestream.add_route('note.created', 'summarise-note.v1', '"App"."Is wanted"', '"App".payload', 5, '30 s');
GRANT USAGE ON SCHEMA "App" TO lifestream_agent;
GRANT EXECUTE ON FUNCTION "App"."Is wanted" TO lifestream_agent;
SELECT lifestream.add_route('note.created', 'summarise-note.v1', '"App"."Is wanted"', '"App".payload', 5, '30 s');
SELECT event_type, work_type, guard, payload_map, max_attempts, backoff, builtin FROM lifestream.routes WHERE NOT builtin;
-- added again it is replaced, whole
SELECT lifestream.add_route('note.created', 'summarise-note.v1');
SELECT event_type, work_type, guard, payload_map, max_attempts, backoff, builtin FROM lifestream.routes WHERE NOT builtin;
-- one event type may have many
SELECT lifestream.add_route('note.created', 'index');
SELECT work_type FROM lifestream.routes WHERE event_type = 'note.created' ORDER BY 1;
SELECT lifestream.drop_route('note.created', 'index'), lifestream.drop_route('note.created', 'summarise-note.v1');
SELECT attempt($$SELECT lifestream.drop_route('note.created', 'index')$$);
SELECT attempt($$SELECT lifestream.drop_route(NULL, NULL)$$);

-- a built-in route can be changed, dropped and had back; a dump carries all of that
CREATE VIEW carried AS SELECT event_type, work_type, max_attempts, builtin FROM lifestream.routes WHERE event_type = 'link.added';
SELECT lifestream.add_route('link.added', 'fetch_link', 'lifestream.needs_fetch', max_attempts => 7);
SELECT * FROM carried ORDER BY work_type;
SELECT lifestream.drop_route('link.added', 'fetch_link');
SELECT * FROM carried ORDER BY work_type;
SELECT lifestream.drop_route('link.added', 'publish_link');
SELECT * FROM lifestream.dropped_routes WHERE event_type = 'link.added' ORDER BY work_type;
SELECT lifestream.add_route('link.added', 'fetch_link', 'lifestream.needs_fetch');
SELECT * FROM lifestream.dropped_routes WHERE event_type = 'link.added';
SELECT * FROM carried;
-- as a restore does: the rows of CREATE EXTENSION are there, those of the dump come
BEGIN;
DELETE FROM lifestream.routes;
DELETE FROM lifestream.dropped_routes;
INSERT INTO lifestream.routes (event_type, work_type, builtin) VALUES ('link.added', 'fetch_link', true), ('link.added', 'publish_link', true), ('link.removed', 'publish_link', true);
COPY lifestream.routes (event_type, work_type, max_attempts, builtin) FROM stdin;
link.added	fetch_link	7	f
\.
COPY lifestream.dropped_routes (event_type, work_type) FROM stdin;
link.added	publish_link
\.
SELECT event_type, work_type, max_attempts, builtin FROM lifestream.routes ORDER BY 1, 2;
ROLLBACK;
DROP VIEW carried;
DELETE FROM lifestream.routes WHERE event_type = 'link.added';
DELETE FROM lifestream.dropped_routes;
INSERT INTO lifestream.routes (event_type, work_type, guard, builtin) VALUES
    ('link.added', 'fetch_link', 'lifestream.needs_fetch', true), ('link.added', 'publish_link', 'lifestream.needs_republish', true);
-- the table itself refuses what add_route does
SELECT split_part(attempt($$INSERT INTO lifestream.routes (event_type, work_type) VALUES ('work.failed', 'w')$$), E'\n', 1);
SELECT split_part(attempt($$INSERT INTO lifestream.routes (event_type, work_type) VALUES ('t', 'A b')$$), E'\n', 1);
SELECT split_part(attempt($$INSERT INTO lifestream.routes (event_type, work_type, max_attempts) VALUES ('t', 'w', 0)$$), E'\n', 1);
SET client_min_messages = warning;
DELETE FROM lifestream.dropped_routes;
DROP SCHEMA "App" CASCADE;
