-- Only where the publisher that published it has a webhook: it then says in its fact what is to be told.
CREATE FUNCTION lifestream.wants_webhook(e lifestream.events) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN jsonb_typeof(e.payload -> 'webhook') IS NOT DISTINCT FROM 'object';
END $$;
COMMENT ON FUNCTION lifestream.wants_webhook(lifestream.events) IS 'Guard of publish.completed and publish.retracted -> publish_link';
