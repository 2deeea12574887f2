CREATE FUNCTION lifestream.guard_event() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'guard_event_wrapper';
COMMENT ON FUNCTION lifestream.guard_event() IS 'Fills and checks an event, however it comes in, and wakes the bridge';
