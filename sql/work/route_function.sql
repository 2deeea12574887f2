-- The name under which a route keeps a function f(lifestream.events), once it is one that gives what it should.
CREATE FUNCTION lifestream.route_function(function regproc, role text, wanted regtype) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    called record;
BEGIN
    IF function IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT format('%I.%I', n.nspname, p.proname) AS name, n.oid AS schema, n.nspname, p.prokind, p.proretset, p.prorettype,
           pg_get_function_result(p.oid) AS returns, pg_get_function_identity_arguments(p.oid) AS arguments, p.pronargs, p.proargtypes
    INTO called
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = function;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no function %', function USING ERRCODE = 'undefined_function';
    END IF;
    IF called.prokind <> 'f' OR called.proretset OR called.prorettype <> wanted
       OR called.pronargs <> 1 OR called.proargtypes[0] <> 'lifestream.events'::regtype THEN
        RAISE EXCEPTION '%(%) returning % is no %', called.name, called.arguments, coalesce(called.returns, 'nothing'), role
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = format('A %s is a function %s(lifestream.events) returning %s.', role, called.name, wanted);
    END IF;
    IF NOT has_schema_privilege('lifestream_agent', called.schema, 'USAGE') THEN
        RAISE WARNING 'role lifestream_agent may not use schema %', quote_ident(called.nspname)
            USING HINT = format('GRANT USAGE ON SCHEMA %I TO lifestream_agent;', called.nspname);
    END IF;
    IF NOT has_function_privilege('lifestream_agent', function, 'EXECUTE') THEN
        RAISE WARNING 'role lifestream_agent may not call %', called.name
            USING HINT = format('GRANT EXECUTE ON FUNCTION %s(lifestream.events) TO lifestream_agent;', called.name);
    END IF;
    RETURN called.name;
END $$;
COMMENT ON FUNCTION lifestream.route_function(regproc, text, regtype) IS 'For add_route: checks a guard or a map, and gives its full name';
