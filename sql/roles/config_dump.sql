-- pg_dump carries the rows of every table of the extension, and where each identity sequence stands; views hold nothing.
-- A table whose rows CREATE EXTENSION itself makes in part registers itself with a filter, and is left alone here.
DO $$
DECLARE
    relation pg_catalog.regclass;
BEGIN
    FOR relation IN
        SELECT c.oid
        FROM pg_catalog.pg_extension x
        JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = x.oid
        JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid
        WHERE x.extname = 'pg_lifestream'
          AND d.deptype = 'e'
          AND c.relkind IN ('r', 'S')
          AND c.oid <> ALL (COALESCE(x.extconfig, '{}'))
        ORDER BY c.oid
    LOOP
        PERFORM pg_catalog.pg_extension_config_dump(relation, '');
    END LOOP;
END
$$;
