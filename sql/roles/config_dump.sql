-- pg_dump carries the rows of every table of the extension, and where each identity sequence stands; views hold nothing.
-- A table whose rows CREATE EXTENSION itself makes in part registers itself with a filter, and is left alone here.
DO $$
DECLARE
    relation pg_catalog.regclass;
BEGIN
    FOR relation IN
        SELECT c.oid
        FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'lifestream'::pg_catalog.regnamespace
          AND c.relkind IN ('r', 'S')
          AND c.oid NOT IN (SELECT pg_catalog.unnest(COALESCE(x.extconfig, '{}'))
                            FROM pg_catalog.pg_extension x WHERE x.extname = 'pg_lifestream')
        ORDER BY c.oid
    LOOP
        PERFORM pg_catalog.pg_extension_config_dump(relation, '');
    END LOOP;
END
$$;
