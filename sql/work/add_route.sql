-- Registers a route, or changes it. The names are kept as text, so that a dump restores before the functions' schema does.
CREATE FUNCTION lifestream.add_route(
    event_type   text,
    work_type    text,
    guard        regproc  DEFAULT NULL,
    payload_map  regproc  DEFAULT NULL,
    max_attempts integer  DEFAULT 3,
    backoff      interval DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known text;
    guard_name text;
    map_name text;
BEGIN
    IF event_type IS NULL OR btrim(event_type) = '' OR octet_length(event_type) > 255 THEN
        RAISE EXCEPTION 'event_type must have 1 to 255 octets, not %', coalesce(octet_length(event_type)::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF event_type IN ('work.failed', 'work.retry_requested') THEN
        RAISE EXCEPTION 'no route can take "%"', event_type
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'What came of its work would be such an event again, without end. Take work.dead_lettered: what is given up for good.';
    END IF;
    IF work_type IS NULL OR work_type !~ '^[a-z0-9._-]{1,200}$' THEN
        RAISE EXCEPTION 'work_type must have 1 to 200 of the characters a-z, 0-9, dot, underscore and hyphen, not %',
                coalesce(quote_literal(left(work_type, 300)), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'It names a Kafka topic: work.<work_type>.';
    END IF;
    IF translate(work_type, '.', '_') = 'dead_letter' THEN
        RAISE EXCEPTION 'work_type cannot be "%"', work_type
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Topic work.dead_letter holds the work that was given up.';
    END IF;
    SELECT r.work_type INTO known FROM lifestream.routes r
    WHERE translate(r.work_type, '.', '_') = translate(add_route.work_type, '.', '_') AND r.work_type <> add_route.work_type;
    IF FOUND THEN
        RAISE EXCEPTION 'work_type "%" differs from "%" by . and _ only', work_type, known
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Kafka takes no two topics whose names differ so.';
    END IF;
    IF max_attempts IS NULL OR max_attempts NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'max_attempts must be between 1 and 1000, not %', coalesce(max_attempts::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF backoff <= interval '0' THEN
        RAISE EXCEPTION 'backoff must be longer than nothing, not %', backoff
            USING ERRCODE = 'invalid_parameter_value', HINT = 'NULL takes LIFESTREAM_RETRY_BASE.';
    END IF;
    guard_name := lifestream.route_function(guard, 'guard', 'boolean');
    map_name := lifestream.route_function(payload_map, 'payload map', 'jsonb');
    DELETE FROM lifestream.dropped_routes d WHERE d.event_type = add_route.event_type AND d.work_type = add_route.work_type;
    INSERT INTO lifestream.routes AS r (event_type, work_type, guard, payload_map, max_attempts, backoff)
    VALUES (add_route.event_type, add_route.work_type, guard_name, map_name, add_route.max_attempts, add_route.backoff)
    ON CONFLICT ON CONSTRAINT routes_pkey DO UPDATE SET
        guard = excluded.guard, payload_map = excluded.payload_map, max_attempts = excluded.max_attempts, backoff = excluded.backoff;
END $$;
COMMENT ON FUNCTION lifestream.add_route(text, text, regproc, regproc, integer, interval) IS
    'Makes work of every event of a type that the router reads from now on; a route of that name is replaced';
