-- `SELECT emit_event(...)` from any client, where a schema public exists: the same declaration and C symbol, no wrapper.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public') THEN
        EXECUTE pg_catalog.replace(
            pg_catalog.pg_get_functiondef('lifestream.emit_event'::pg_catalog.regproc),
            'CREATE OR REPLACE FUNCTION lifestream.emit_event(', 'CREATE FUNCTION public.emit_event(');
        COMMENT ON FUNCTION public.emit_event IS 'lifestream.emit_event, for callers with public in their search_path';
    END IF;
END
$$;
