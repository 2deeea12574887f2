-- Names this very table of events: another cluster, a restored database and a re-created extension all answer differently.
CREATE FUNCTION lifestream.database_identity() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT concat_ws('/',
        (SELECT system_identifier FROM pg_catalog.pg_control_system()),
        (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()),
        'lifestream.events'::pg_catalog.regclass::pg_catalog.oid);
END;
COMMENT ON FUNCTION lifestream.database_identity() IS 'System identifier, database and events table, as one text';
