-- What the publisher is asked for: a link, the pages that tags stand on, or to tell the webhook of a publication. Nothing of
-- a link's own payload: whoever saves one must not be able to ask for the others.
CREATE FUNCTION lifestream.publish_payload(e lifestream.events) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE
        WHEN e.event_type IN ('tag.merged', 'tag.dropped') THEN jsonb_build_object('what', 'tags')
        WHEN e.event_type IN ('publish.completed', 'publish.retracted')
            THEN jsonb_build_object('what', 'webhook', 'type', e.event_type, 'data', e.payload -> 'webhook')
        ELSE jsonb_build_object('what', 'link')
    END;
END $$;
COMMENT ON FUNCTION lifestream.publish_payload(lifestream.events) IS 'Payload map of all built-in routes to publish_link';
