-- Puts the first parked of a subject away for good (lifestream.discarded), and lets what waits behind it go on in order. Gives how
-- many those are, itself included; asked again before it is done, the same.
CREATE FUNCTION lifestream.discard_parked(id bigint) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
RETURN lifestream.decide_parked(id, 'discard');
COMMENT ON FUNCTION lifestream.discard_parked(bigint) IS 'Puts something parked away for good, and lets what waits behind it go on; gives how many those are';
