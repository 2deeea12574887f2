-- INSERT and COPY pass the same checks as emit_event, and nobody gives seq or the flag
\pset format unaligned
\pset tuples_only on
SET application_name = 'golden';
INSERT INTO lifestream.events (occurred_at, source, subject, subject_id, event_type, payload) VALUES ('2001-02-03 04:05:06+00', 'o', 's', 'i-1', 't', '{"a": 1}');
INSERT INTO lifestream.events (subject, subject_id, event_type, payload) VALUES ('s', 'i-1', 't', '{"n": 1}'), ('s', 'i-1', 't', '{"n": 2}'), ('s', 'i-1', 't', '{"n": 3}');
INSERT INTO lifestream.events (id, occurred_at, received_at, source, subject, subject_id, event_type, schema_version, correlation_id, tenant_id, headers)
VALUES (NULL, NULL, NULL, NULL, 's', 'i-1', 't', NULL, NULL, NULL, NULL);
INSERT INTO lifestream.events (subject, subject_id, event_type) SELECT 's', 'i-1', 't' FROM generate_series(1, 3);
INSERT INTO lifestream.events (seq, subject, subject_id, event_type, published_to_kafka) VALUES (DEFAULT, 's', 'i-1', 't', false) RETURNING payload, headers, tenant_id, schema_version, published_to_kafka;
COPY lifestream.events (subject, subject_id, event_type, payload) FROM stdin;
s	i-1	t	{"c": 1}
s	i-1	t	{"c": 2}
\.
SELECT source, payload, schema_version, correlation_id = id, occurred_at = received_at, tenant_id, headers FROM lifestream.events WHERE subject_id = 'i-1' ORDER BY seq;

SELECT attempt($$INSERT INTO lifestream.events (subject_id, event_type) VALUES ('i-2', 't')$$);
SELECT attempt($$INSERT INTO lifestream.events (subject, subject_id, event_type, payload) VALUES ('s', 'i-2', 't', NULL)$$);
SELECT attempt($$INSERT INTO lifestream.events (subject, subject_id, event_type, payload) VALUES ('s', 'i-2', 't', '[]')$$);
SELECT attempt($$INSERT INTO lifestream.events (subject, subject_id, event_type, source) VALUES ('s', 'i-2', 't', '')$$);
SELECT attempt($$INSERT INTO lifestream.events (subject, subject_id, event_type, received_at) VALUES ('s', 'i-2', 't', 'infinity')$$);
SELECT attempt($$INSERT INTO lifestream.events (subject, subject_id, event_type, headers) VALUES ('s', 'i-2', 't', '{"source": "x"}')$$);
SELECT attempt($$INSERT INTO lifestream.events (subject, subject_id, event_type, payload) VALUES ('s', 'i-2', 't', jsonb_build_object('p', repeat('x', 1024 * 1024)))$$);
COPY lifestream.events (subject, subject_id, event_type, payload) FROM stdin;
s	i-2	t	{}
s	i-2	t	[]
\.
-- one bad row takes the others with it
SELECT count(*) FROM lifestream.events WHERE subject_id = 'i-2';

-- a bridge has worked here from now on (its row, as it writes it)
INSERT INTO lifestream.bridge_progress (epoch, holder, holder_pid, lease_until, database_identity, timeline, watermark, high, topic, topic_id, offsets, closed, saved_at)
VALUES (1, 'golden', 1, now(), lifestream.database_identity(), 1, 0, 0, 'events.raw', 'x', '{0}', true, now());

-- the flag
SELECT attempt($$INSERT INTO lifestream.events (subject, subject_id, event_type, published_to_kafka) VALUES ('s', 'i-3', 't', true)$$);
SELECT attempt($$INSERT INTO lifestream.events (subject, subject_id, event_type, published_to_kafka) SELECT 's', 'i-3', 't', n = 2 FROM generate_series(1, 2) n$$);
-- seq
SELECT attempt($$INSERT INTO lifestream.events (seq, subject, subject_id, event_type) VALUES (1000000, 's', 'i-3', 't')$$);
SELECT attempt($$INSERT INTO lifestream.events (seq, subject, subject_id, event_type) OVERRIDING SYSTEM VALUE VALUES (1000000, 's', 'i-3', 't')$$);
SELECT attempt($$INSERT INTO lifestream.events (seq, subject, subject_id, event_type) OVERRIDING SYSTEM VALUE VALUES (-1, 's', 'i-3', 't')$$);
SELECT attempt($$INSERT INTO lifestream.events (seq, subject, subject_id, event_type) OVERRIDING SYSTEM VALUE VALUES (NULL, 's', 'i-3', 't')$$);
SELECT attempt($$MERGE INTO lifestream.events USING (SELECT 1) one ON false WHEN NOT MATCHED THEN INSERT (seq, subject, subject_id, event_type) OVERRIDING SYSTEM VALUE VALUES (1000000, 's', 'i-3', 't')$$);
COPY lifestream.events (seq, subject, subject_id, event_type) FROM stdin;
1000000	s	i-3	t
\.
-- in a session that has drawn no number, too
\c -
\pset format unaligned
\pset tuples_only on
COPY lifestream.events (seq, subject, subject_id, event_type) FROM stdin;
1000000	s	i-3	t
\.
SELECT emit_event('t', 's', 'i-4', '{}') IS NOT NULL;
DISCARD ALL;
SELECT attempt($$INSERT INTO lifestream.events (seq, subject, subject_id, event_type) OVERRIDING SYSTEM VALUE VALUES (1000000, 's', 'i-3', 't')$$);
INSERT INTO lifestream.events (subject, subject_id, event_type) VALUES ('s', 'i-4', 't');

-- a number that a savepoint took back cannot be given again
BEGIN;
SAVEPOINT one;
SELECT emit_event('t', 's', 'i-5', '{}') IS NOT NULL;
SELECT max(seq) AS reused FROM lifestream.events \gset
ROLLBACK TO one;
SELECT currval('lifestream.events_seq_seq') = :reused;
SELECT regexp_replace(attempt(format($$INSERT INTO lifestream.events (seq, subject, subject_id, event_type) OVERRIDING SYSTEM VALUE VALUES (%s, 's', 'i-5', 't')$$, :reused)), 'Number \d+', 'Number N');
SAVEPOINT two;
INSERT INTO lifestream.events (subject, subject_id, event_type) VALUES ('s', 'i-5', 't');
SELECT max(seq) AS reused FROM lifestream.events \gset
ROLLBACK TO two;
SELECT regexp_replace(attempt(format($$INSERT INTO lifestream.events (seq, subject, subject_id, event_type) OVERRIDING SYSTEM VALUE VALUES (%s, 's', 'i-5', 't')$$, :reused)), 'Number \d+', 'Number N');
SELECT emit_event('t', 's', 'i-5', '{}') IS NOT NULL;
COMMIT;
SELECT subject_id, count(*) FROM lifestream.events WHERE subject_id IN ('i-3', 'i-4', 'i-5') GROUP BY 1 ORDER BY 1;

-- an INSERT whose own expression emits: refused with a way out, never numbered wrongly
SELECT regexp_replace(attempt($$INSERT INTO lifestream.events (subject, subject_id, event_type, causation_id) VALUES ('s', 'i-6', 't', emit_event('t', 's', 'i-6', '{}'))$$), 'Number \d+', 'Number N');
WITH cause AS MATERIALIZED (SELECT emit_event('t', 's', 'i-6', '{}') AS id)
SELECT emit_event('t', 's', 'i-6', '{}', causation_id => id) IS NOT NULL FROM cause;
SELECT count(*) FROM lifestream.events WHERE subject_id = 'i-6';

-- replication's role is not exempt
SET session_replication_role = replica;
SELECT attempt($$INSERT INTO lifestream.events (seq, subject, subject_id, event_type) OVERRIDING SYSTEM VALUE VALUES (1000000, 's', 'i-7', 't')$$);
INSERT INTO lifestream.events (subject, subject_id, event_type) VALUES ('s', 'i-7', 't');
RESET session_replication_role;

-- ON CONFLICT
INSERT INTO lifestream.events (id, subject, subject_id, event_type) VALUES ('00000000-0000-4000-8000-000000000501', 's', 'i-8', 't');
INSERT INTO lifestream.events (id, subject, subject_id, event_type) VALUES ('00000000-0000-4000-8000-000000000501', 's', 'i-8', 't') ON CONFLICT (id) DO NOTHING;
SELECT attempt($$INSERT INTO lifestream.events (id, subject, subject_id, event_type) VALUES ('00000000-0000-4000-8000-000000000501', 's', 'i-8', 't') ON CONFLICT (id) DO UPDATE SET payload = '{"a": 1}'$$);
SELECT count(*) FROM lifestream.events WHERE subject_id = 'i-8';
DELETE FROM lifestream.bridge_progress;
