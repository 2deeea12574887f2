-- Registers a projection. The name is kept as text, so that a dump restores before the function's schema does.
CREATE FUNCTION lifestream.add_projection(event_type text, function regproc, tables regclass[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    called record;
    written regclass;
BEGIN
    IF event_type IS NULL OR btrim(event_type) = '' OR octet_length(event_type) > 255 THEN
        RAISE EXCEPTION 'event_type must have 1 to 255 octets, not %', coalesce(octet_length(event_type)::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT format('%I.%I', n.nspname, p.proname) AS name, p.prokind, pg_get_function_result(p.oid) AS returns,
           pg_get_function_identity_arguments(p.oid) AS arguments, p.pronargs, p.proargtypes
    INTO called
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = function;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no function %', function USING ERRCODE = 'undefined_function';
    END IF;
    IF called.prokind <> 'f' OR called.returns IS DISTINCT FROM 'void' OR called.pronargs <> 1 OR called.proargtypes[0] <> 'lifestream.events'::regtype THEN
        RAISE EXCEPTION '%(%) returning % is no projection', called.name, called.arguments, called.returns
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = format('A projection is a function %s(lifestream.events) returning void.', called.name);
    END IF;
    FOREACH written IN ARRAY coalesce(tables, '{}') LOOP
        IF NOT EXISTS (SELECT FROM pg_class WHERE oid = written AND relkind IN ('r', 'p')) THEN
            RAISE EXCEPTION '% is no table', coalesce(written::text, 'NULL') USING ERRCODE = 'wrong_object_type';
        END IF;
        IF NOT has_table_privilege('lifestream_agent', written, 'INSERT') THEN
            RAISE WARNING 'role lifestream_agent may not write %', written
                USING HINT = format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO lifestream_agent;', written);
        END IF;
    END LOOP;
    IF NOT has_function_privilege('lifestream_agent', function, 'EXECUTE') THEN
        RAISE WARNING 'role lifestream_agent may not call %', called.name
            USING HINT = format('GRANT EXECUTE ON FUNCTION %s(lifestream.events) TO lifestream_agent;', called.name);
    END IF;
    INSERT INTO lifestream.projections AS p (event_type, function, tables)
    VALUES (add_projection.event_type, called.name, coalesce(add_projection.tables, '{}'))
    ON CONFLICT ON CONSTRAINT projections_pkey DO UPDATE SET tables = excluded.tables;
    PERFORM pg_notify('lifestream_projections', '');
    RAISE NOTICE '% sees every "%" that is materialized from now on', called.name, event_type
        USING HINT = CASE WHEN coalesce(tables, '{}') = '{}' THEN 'Registered with the tables that it writes, it can be given the past by lifestream rebuild.'
                          ELSE format('lifestream rebuild %s gives it the past.', called.name) END;
END $$;
COMMENT ON FUNCTION lifestream.add_projection(text, regproc, regclass[]) IS
    'Registers f(lifestream.events) returns void for an event type; tables: those that it writes, named unqualified in its body';
