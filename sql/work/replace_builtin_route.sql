-- A row that is not built in takes the place of the built-in route of its name, whether add_route, drop_route or a
-- restore writes it.
CREATE FUNCTION lifestream.replace_builtin_route() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM lifestream.routes r WHERE r.event_type = NEW.event_type AND r.work_type = NEW.work_type AND r.builtin;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION lifestream.replace_builtin_route() IS 'Takes away the built-in route that a row replaces';
CREATE TRIGGER replace_builtin BEFORE INSERT ON lifestream.routes
    FOR EACH ROW WHEN (NOT NEW.builtin) EXECUTE FUNCTION lifestream.replace_builtin_route();
CREATE TRIGGER replace_builtin BEFORE INSERT ON lifestream.dropped_routes
    FOR EACH ROW EXECUTE FUNCTION lifestream.replace_builtin_route();
