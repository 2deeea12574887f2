-- emit_events: an array in one call
\pset format unaligned
\pset tuples_only on
SET application_name = 'golden';
SELECT count(*) FROM lifestream.emit_events('[]');
SELECT count(*) FROM lifestream.emit_events(NULL);
SELECT count(*) FROM lifestream.emit_events('[
    {"event_type": "t", "subject": "s", "subject_id": "m-1", "payload": {"n": 1, "big": 1234567890123456789012345678901234567890.5, "deep": [[], {}, [1, [2, {"x": null}]]]}},
    {"event_type": "t", "subject": "s", "subject_id": "m-1", "payload": {}, "source": null, "occurred_at": null, "id": null, "correlation_id": null,
     "causation_id": null, "tenant_id": null, "schema_version": null, "headers": null, "expected_version": null},
    {"event_type": "t", "subject": "s", "subject_id": "m-1", "payload": {}, "source": "o", "occurred_at": "2001-02-03T04:05:06.789012Z",
     "id": "00000000-0000-4000-8000-000000000401", "correlation_id": "00000000-0000-4000-8000-00000000000A", "causation_id": "00000000-0000-4000-8000-00000000000b",
     "tenant_id": "acme", "schema_version": 2, "headers": {"h": "v"}, "expected_version": 2}]');
SELECT source, payload, schema_version, causation_id, tenant_id, headers, correlation_id = id, occurred_at = received_at FROM lifestream.events WHERE subject_id = 'm-1' ORDER BY seq;
-- ids in order, of elements with and without one
CREATE TEMP TABLE returned AS
SELECT id, n FROM lifestream.emit_events((SELECT jsonb_agg(jsonb_build_object('event_type', 't', 'subject', 's', 'subject_id', 'm-2', 'payload', jsonb_build_object('n', n))
    || CASE WHEN n % 3 = 0 THEN jsonb_build_object('id', gen_random_uuid()) ELSE '{}' END ORDER BY n) FROM generate_series(1, 1000) n)) WITH ORDINALITY AS emitted (id, n);
SELECT count(*), bool_and((e.payload->>'n')::int = n) FROM returned JOIN lifestream.events e USING (id);
SELECT count(*), bool_and((payload->>'n')::int = n) FROM (SELECT payload, row_number() OVER (ORDER BY seq) AS n FROM lifestream.events WHERE subject_id = 'm-2') e;
-- an id given twice, and one that is there already
SELECT * FROM lifestream.emit_events('[
    {"event_type": "t", "subject": "s", "subject_id": "m-3", "payload": {"n": 1}, "id": "00000000-0000-4000-8000-000000000403"},
    {"event_type": "t", "subject": "s", "subject_id": "m-3", "payload": {"n": 2}, "id": "00000000-0000-4000-8000-000000000403"},
    {"event_type": "t", "subject": "s", "subject_id": "m-1", "payload": {"n": 3}, "id": "00000000-0000-4000-8000-000000000401"}]');
SELECT subject_id, count(*), min(payload::text) FROM lifestream.events WHERE id IN ('00000000-0000-4000-8000-000000000401', '00000000-0000-4000-8000-000000000403') GROUP BY 1 ORDER BY 1;
-- a LIMIT loses none; neither does a cursor that is closed early
SELECT 1 FROM lifestream.emit_events('[{"event_type": "t", "subject": "s", "subject_id": "m-4", "payload": {}}, {"event_type": "t", "subject": "s", "subject_id": "m-4", "payload": {}}]') LIMIT 1;
BEGIN;
SELECT lifestream.emit_events('[{"event_type": "t", "subject": "s", "subject_id": "m-4", "payload": {}}, {"event_type": "t", "subject": "s", "subject_id": "m-4", "payload": {}}]') IS NOT NULL LIMIT 1;
COMMIT;
SELECT count(*) FROM lifestream.events WHERE subject_id = 'm-4';
-- session settings, and an array that is compressed or out of line
SET lifestream.tenant_id = 'tenant 1';
CREATE TEMP TABLE arrays AS SELECT jsonb_agg(jsonb_build_object('event_type', 't', 'subject', 's', 'subject_id', 'm-5', 'payload', jsonb_build_object('text', repeat(n::text, 500)))) AS events FROM generate_series(1, 100) n;
SELECT count(*) FROM arrays, lifestream.emit_events(events);
RESET lifestream.tenant_id;
SELECT count(*), min(tenant_id), sum(length(payload->>'text')) FROM lifestream.events WHERE subject_id = 'm-5';

-- refusals name the element, and nothing of the array stays
SELECT attempt(format('SELECT lifestream.emit_events(%L)', value)) FROM unnest(ARRAY['{}', '"x"', '1', 'null', '[1]', '[[]]', '[null]', '["x"]', '[{}]']) value;
SELECT key, value, attempt(format('SELECT lifestream.emit_events(%L)', '[{"event_type": "t", "subject": "s", "subject_id": "m-6", "payload": {}}, '
    || ('{"event_type": "t", "subject": "s", "subject_id": "m-6", "payload": {}}'::jsonb || jsonb_build_object(key, value::jsonb))::text || ']'))
FROM (VALUES ('event_type', '1'), ('event_type', '""'), ('subject', 'true'), ('subject_id', '{"a": 1}'), ('subject_id', 'null'), ('payload', '[1, {"a": "b"}]'), ('payload', '"{}"'), ('payload', 'null'),
    ('source', '[]'), ('occurred_at', '1'), ('occurred_at', '"yesterdayish"'), ('occurred_at', '"2026-02-30"'), ('occurred_at', '"infinity"'), ('id', '"x"'), ('id', '5'), ('correlation_id', '"12"'),
    ('causation_id', 'false'), ('tenant_id', '1e3'), ('schema_version', '"1"'), ('schema_version', '1.5'), ('schema_version', '99999999999'), ('schema_version', '0'),
    ('headers', '[]'), ('headers', '{"a": 1}'), ('headers', '{"ce_id": "x"}'), ('expected_version', '"0"'), ('expected_version', '-1'), ('expected_version', '7'),
    ('published_to_kafka', 'true'), ('seq', '1'), ('Payload', '{}'), ('', '1')) bad (key, value);
SELECT attempt($$SELECT lifestream.emit_events('[{"event_type": "t", "subject": "s", "subject_id": "m-6", "payload": {}, "id": "00000000-0000-4000-8000-000000000401"}]')$$);
SELECT attempt($$SELECT lifestream.emit_events('[{"event_type": "t", "subject": "s", "subject_id": "m-6", "payload": {}}, {"event_type": "t", "subject": "s", "subject_id": "m-6", "payload": {}, "id": "00000000-0000-4000-8000-000000000406", "headers": {"source": "x"}}]')$$);
SELECT count(*) FROM lifestream.events WHERE subject_id = 'm-6';
