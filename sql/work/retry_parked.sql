-- Has the first parked of a subject, and then what waits behind it, tried again in order. Gives how many those are; asked again
-- before it is done, the same.
CREATE FUNCTION lifestream.retry_parked(id bigint) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
RETURN lifestream.decide_parked(id, 'retry');
COMMENT ON FUNCTION lifestream.retry_parked(bigint) IS 'Has something parked, and what waits behind it, tried again in order; gives how many those are';
