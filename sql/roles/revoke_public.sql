-- PUBLIC gets nothing: EXECUTE is what PostgreSQL gives away by itself.
REVOKE ALL ON SCHEMA lifestream FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA lifestream FROM PUBLIC;
REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA lifestream FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public') THEN
        REVOKE EXECUTE ON FUNCTION public.emit_event FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION public.emit_event TO lifestream_emitter, lifestream_agent, lifestream_admin;
    END IF;
END
$$;
