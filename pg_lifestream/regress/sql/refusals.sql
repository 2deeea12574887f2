-- Every event that is refused, by emit_event
\pset format unaligned
\pset tuples_only on
SELECT attempt($$SELECT emit_event(NULL, 's', 'r-1', '{}')$$);
SELECT attempt($$SELECT emit_event('', 's', 'r-1', '{}')$$);
SELECT attempt($$SELECT emit_event('t', NULL, 'r-1', '{}')$$);
SELECT attempt($$SELECT emit_event('t', '', 'r-1', '{}')$$);
SELECT attempt($$SELECT emit_event('t', 's', NULL, '{}')$$);
SELECT attempt($$SELECT emit_event('t', 's', '', '{}')$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', NULL)$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', '{}', source => '')$$);
SELECT attempt($$SELECT emit_event(repeat('t', 256), 's', 'r-1', '{}')$$);
SELECT attempt($$SELECT emit_event('t', repeat('ü', 128), 'r-1', '{}')$$);
SELECT attempt($$SELECT emit_event('t', 's', repeat('i', 1025), '{}')$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', '{}', source => repeat('o', 256))$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', '{}', tenant_id => repeat('n', 256))$$);
SELECT attempt($$SELECT emit_event(repeat('t', 255), repeat('s', 255), repeat('i', 1024), '{}', source => repeat('o', 255), tenant_id => repeat('n', 255))$$);

-- payload
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', '[1, 2]')$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', '"text"')$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', '1e2')$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', 'true')$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', 'null')$$);

-- headers
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', '{}', headers => '[]')$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', '{}', headers => '{"n": 1}')$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', '{}', headers => '{"n": null}')$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', '{}', headers => '{"n": {"m": "x"}}')$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', '{}', headers => '{"": "x"}')$$);
SELECT name, attempt(format($$SELECT emit_event('t', 's', 'r-1', '{}', headers => %L)$$, jsonb_build_object(name, 'x')))
FROM unnest(ARRAY['event_type', 'source', 'event_id', 'correlation_id', 'content-type', 'Content-Type', 'ce_id', 'CE_x', 'lifestream_marker', 'Traceparent', 'ce', 'tracestate']) name;
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', '{}', headers => jsonb_build_object('h', repeat('x', 16384)))$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', '{}', headers => jsonb_build_object('h', repeat('x', 16383)))$$);

-- traceparent
SELECT value, attempt(format($$SELECT emit_event('t', 's', 'r-1', '{}', headers => %L)$$, jsonb_build_object('traceparent', value)))
FROM unnest(ARRAY['', 'x', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', '00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', '00-00000000000000000000000000000000-b7ad6b7169203331-01',
    '00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x']) value;

-- timestamps that RFC 3339 cannot write
SELECT value, attempt(format($$SELECT emit_event('t', 's', 'r-1', '{}', occurred_at => %L)$$, value))
FROM unnest(ARRAY['infinity', '-infinity', '0001-01-01 00:00:00+00', '0001-12-31 23:59:59+00 BC', '9999-12-31 23:59:59.999999+00', '10000-01-01 00:00:00+00', '294000-01-01']) value;

-- versions
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', '{}', schema_version => 0)$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', '{}', schema_version => -3)$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-1', '{}', expected_version => -1)$$);

-- size: octets of payload, headers and text columns as text
SET lifestream.max_event_bytes = '1kB';
SELECT length('{"p": ""}'), attempt($$SELECT emit_event('t', 's', 'r-12', jsonb_build_object('p', repeat('x', 1024 - 9 - 2 - 7)), source => 'o')$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-12', jsonb_build_object('p', repeat('x', 1024 - 9 - 2 - 6)), source => 'o')$$);
-- a number that is short inside and long as text
SELECT attempt($$SELECT emit_event('t', 's', 'r-13', '{"p": 1e2000}', source => 'o')$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-13', '{"p": 1e-2000}', source => 'o')$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-14', jsonb_build_object('p', repeat(chr(1), 200)), source => 'o')$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-15', (repeat('{"a":', 170) || '1' || repeat('}', 170))::jsonb, source => 'o')$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-15', (repeat('{"a":', 140) || '1' || repeat('}', 140))::jsonb, source => 'o')$$);
RESET lifestream.max_event_bytes;
SELECT attempt($$SELECT emit_event('t', 's', 'r-16', jsonb_build_object('p', repeat('x', 1024 * 1024)))$$);
SELECT attempt($$SELECT emit_event('t', 's', 'r-16', (repeat('{"a":', 5000) || '1' || repeat('}', 5000))::jsonb)$$);

-- settings
SET lifestream.correlation_id = 'not a uuid';
SELECT attempt($$SELECT emit_event('t', 's', 'r-17', '{}')$$);
SELECT attempt($$INSERT INTO lifestream.events (subject, subject_id, event_type) VALUES ('s', 'r-17', 't')$$);
RESET lifestream.correlation_id;
SET lifestream.causation_id = '12';
SELECT attempt($$SELECT emit_event('t', 's', 'r-17', '{}')$$);
RESET lifestream.causation_id;
SET lifestream.traceparent = '00-00-00-00';
SELECT attempt($$SELECT emit_event('t', 's', 'r-17', '{}')$$);
RESET lifestream.traceparent;
SELECT attempt($$SET lifestream.sauce = 'x'$$);
SELECT left(attempt($$SET lifestream.max_event_bytes = 10$$), 5);
SELECT attempt($$SET lifestream.notify = 'sometimes'$$);

-- trigger functions are for their table only
SELECT attempt($$SELECT lifestream.guard_event()$$);
CREATE TABLE other (a int);
CREATE TRIGGER t BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION lifestream.guard_event();
SELECT attempt($$INSERT INTO other VALUES (1)$$);
DROP TABLE other;
CREATE TRIGGER z AFTER INSERT ON lifestream.events FOR EACH ROW EXECUTE FUNCTION lifestream.guard_event();
SELECT attempt($$SELECT emit_event('t', 's', 'r-18', '{}')$$);
DROP TRIGGER z ON lifestream.events;

-- of all those refused, nothing is left
SELECT subject_id, count(*) FROM lifestream.events WHERE subject_id LIKE 'r-%' AND subject_id <> 'r-1' GROUP BY 1 ORDER BY 1;
