CREATE FUNCTION lifestream.derived_id(name text) RETURNS uuid
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'derived_id_wrapper';
COMMENT ON FUNCTION lifestream.derived_id IS 'UUIDv5 of a name in the namespace of all derived ids: whoever derives the same name gets the same id';
