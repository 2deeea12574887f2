CREATE FUNCTION lifestream.emit_events(events jsonb) RETURNS SETOF uuid
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 1000 AS 'MODULE_PATHNAME', 'emit_events_wrapper';
COMMENT ON FUNCTION lifestream.emit_events IS 'Emits an array of events, objects with emit_event''s argument names; returns their ids in order';
