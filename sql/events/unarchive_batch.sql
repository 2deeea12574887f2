-- Moves the lowest archived events back, as unpublished ones. For `lifestream reset`, after which everything is published anew.
CREATE FUNCTION lifestream.unarchive_batch(batch integer) RETURNS bigint
STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'refuse_change_wrapper';
COMMENT ON FUNCTION lifestream.unarchive_batch(integer) IS 'Moves archived events back, in one transaction: how many were moved';
