CREATE FUNCTION lifestream.refuse_change() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'refuse_change_wrapper';
COMMENT ON FUNCTION lifestream.refuse_change() IS 'Refuses what would change or remove an event';
