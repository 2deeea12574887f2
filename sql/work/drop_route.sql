-- Unregisters a route. What has been made of it already is done all the same; what fails is tried again only while another
-- route makes such work, else it becomes a dead letter.
CREATE FUNCTION lifestream.drop_route(event_type text, work_type text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM lifestream.routes r WHERE r.event_type = drop_route.event_type AND r.work_type = drop_route.work_type;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no route from "%" to "%"', event_type, work_type
            USING ERRCODE = 'undefined_object', HINT = 'SELECT event_type, work_type FROM lifestream.routes;';
    END IF;
    INSERT INTO lifestream.dropped_routes VALUES (drop_route.event_type, drop_route.work_type) ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION lifestream.drop_route(text, text) IS 'Unregisters a route; a built-in one stays away over dump and restore';
