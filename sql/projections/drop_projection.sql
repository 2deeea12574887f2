-- Unregisters a projection. By name, so that one whose function is gone can be dropped too. Its tables stay as they are.
CREATE FUNCTION lifestream.drop_projection(event_type text, function text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    name text := coalesce(
        (SELECT pg_catalog.format('%I.%I', n.nspname, p.proname)
         FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
         WHERE p.oid = pg_catalog.to_regproc(function)),
        function);
BEGIN
    DELETE FROM lifestream.projections p WHERE p.event_type = drop_projection.event_type AND p.function IN (name, drop_projection.function);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no projection % for "%"', function, event_type
            USING ERRCODE = 'undefined_object', HINT = 'SELECT event_type, function FROM lifestream.projections;';
    END IF;
    PERFORM pg_catalog.pg_notify('lifestream_projections', '');
END $$;
COMMENT ON FUNCTION lifestream.drop_projection(text, text) IS 'Unregisters a projection; its tables stay as they are';
