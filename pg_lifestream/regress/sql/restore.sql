-- Rows of a dump come in with their seq and flag, as long as no bridge has worked on this table
\pset format unaligned
\pset tuples_only on
SET lifestream.tenant_id = 'not theirs';
SET lifestream.traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';
COPY lifestream.events (id, seq, occurred_at, received_at, source, subject, subject_id, event_type, payload, schema_version, correlation_id, causation_id, tenant_id, headers, published_to_kafka) FROM stdin;
00000000-0000-4000-8000-000000000601	800001	2001-01-01 00:00:00+00	2001-01-01 00:00:01+00	o	s	re-1	t	{"a": 1}	1	00000000-0000-4000-8000-000000000601	\N		{}	t
00000000-0000-4000-8000-000000000602	800003	2001-01-01 00:00:00+00	2001-01-01 00:00:01+00	o	s	re-1	t	{"a": 2}	1	00000000-0000-4000-8000-000000000601	00000000-0000-4000-8000-000000000601	acme	{}	f
\.
INSERT INTO lifestream.events (id, seq, source, subject, subject_id, event_type, published_to_kafka) OVERRIDING SYSTEM VALUE VALUES ('00000000-0000-4000-8000-000000000603', 800002, 'o', 's', 're-1', 't', true);
SELECT id, seq, payload, causation_id, tenant_id, headers, published_to_kafka FROM lifestream.events WHERE subject_id = 're-1' ORDER BY seq;
-- what no emit could have made is still refused
SELECT attempt($$INSERT INTO lifestream.events (id, seq, source, subject, subject_id, event_type, payload) OVERRIDING SYSTEM VALUE VALUES ('00000000-0000-4000-8000-000000000604', 800004, 'o', 's', 're-1', 't', '[]')$$);
-- a larger event than is allowed today is not
SET lifestream.max_event_bytes = '1kB';
SELECT attempt($$INSERT INTO lifestream.events (id, seq, source, subject, subject_id, event_type, payload) OVERRIDING SYSTEM VALUE VALUES ('00000000-0000-4000-8000-000000000605', 800005, 'o', 's', 're-1', 't', jsonb_build_object('x', repeat('x', 2000)))$$);
RESET lifestream.max_event_bytes;
RESET lifestream.tenant_id;
RESET lifestream.traceparent;
SELECT setval('lifestream.events_seq_seq', 800010);
SELECT emit_event('t', 's', 're-2', '{}') IS NOT NULL;
SELECT seq FROM lifestream.events WHERE subject_id = 're-2';
-- a restore keeps a bridge from its first start until it is committed
BEGIN;
INSERT INTO lifestream.events (id, seq, source, subject, subject_id, event_type) OVERRIDING SYSTEM VALUE VALUES ('00000000-0000-4000-8000-000000000606', 800006, 'o', 's', 're-1', 't');
SELECT mode, granted FROM pg_locks WHERE relation = 'lifestream.bridge_progress'::regclass AND mode = 'ShareLock' AND pid = pg_backend_pid();
ROLLBACK;
-- a row that came with the dump is another database's
INSERT INTO lifestream.bridge_progress (epoch, holder, holder_pid, lease_until, database_identity, timeline, watermark, high, topic, topic_id, offsets, closed, saved_at)
VALUES (1, 'golden', 1, now(), '7/8/9', 1, 0, 0, 'events.raw', 'x', '{0}', true, now());
SELECT attempt($$INSERT INTO lifestream.events (id, seq, source, subject, subject_id, event_type) OVERRIDING SYSTEM VALUE VALUES ('00000000-0000-4000-8000-000000000606', 800006, 'o', 's', 're-1', 't')$$);
-- this one's is not
UPDATE lifestream.bridge_progress SET database_identity = lifestream.database_identity();
SELECT attempt($$INSERT INTO lifestream.events (id, seq, source, subject, subject_id, event_type) OVERRIDING SYSTEM VALUE VALUES ('00000000-0000-4000-8000-000000000607', 800007, 'o', 's', 're-1', 't')$$);
SELECT attempt($$INSERT INTO lifestream.events (subject, subject_id, event_type, published_to_kafka) VALUES ('s', 're-1', 't', true)$$);
-- nor is the number of an event that a user's trigger refused before ours saw it
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;
CREATE TRIGGER "A" BEFORE INSERT ON lifestream.events FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT attempt($$SELECT emit_event('t', 's', 're-3', '{}')$$);
DROP TRIGGER "A" ON lifestream.events;
SELECT attempt($$INSERT INTO lifestream.events (seq, source, subject, subject_id, event_type, payload) OVERRIDING SYSTEM VALUE SELECT last_value, 'o', 's', 're-3', 't', '[]' FROM lifestream.events_seq_seq$$);
DROP FUNCTION refuse;
DELETE FROM lifestream.bridge_progress;
-- which tables and sequences of events and bridge a dump carries
SELECT relation FROM (SELECT unnest(extconfig)::regclass::text AS relation FROM pg_extension WHERE extname = 'pg_lifestream') dumped WHERE relation ~ 'events|bridge' ORDER BY 1;
-- and that none is left out
SELECT c.oid::regclass FROM pg_class c, pg_extension x WHERE x.extname = 'pg_lifestream' AND c.relnamespace = 'lifestream'::regnamespace AND c.relkind IN ('r', 'S') AND c.oid <> ALL (extconfig);
