-- The extension can be dropped and made again, in one session: nothing of the old one is remembered
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SELECT emit_event('t', 's', 'd-1', '{}') IS NOT NULL;
DROP VIEW emitted;
DROP EXTENSION pg_lifestream CASCADE;
SELECT to_regprocedure('public.emit_event(text,text,text,jsonb,text,timestamptz,uuid,uuid,uuid,text,integer,jsonb,bigint)') IS NULL;
SELECT count(*) FROM pg_class WHERE relnamespace = 'lifestream'::regnamespace;
CREATE EXTENSION pg_lifestream;
SELECT emit_event('t', 's', 'd-1', '{}', id => '00000000-0000-4000-8000-000000000901', expected_version => 0);
INSERT INTO lifestream.events (subject, subject_id, event_type) VALUES ('s', 'd-1', 't');
SELECT seq, subject_id FROM lifestream.events ORDER BY seq;
-- where there is no schema public, there is no public.emit_event
DROP EXTENSION pg_lifestream;
ALTER SCHEMA public RENAME TO not_public;
CREATE EXTENSION pg_lifestream;
SELECT lifestream.emit_event('t', 's', 'd-2', '{}') IS NOT NULL;
SELECT count(*) FROM pg_proc WHERE proname = 'emit_event';
ALTER SCHEMA not_public RENAME TO public;
