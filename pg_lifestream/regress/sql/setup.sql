-- What the other files use: a fresh extension, and a function that shows how a statement is refused.
\set ECHO none
SET client_min_messages = warning;
\set ECHO all
CREATE EXTENSION pg_lifestream;

CREATE FUNCTION public.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text; answer text;
BEGIN
    EXECUTE statement;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN state || ': ' || message
        || CASE WHEN detail <> '' THEN E'\n  detail: ' || detail ELSE '' END
        || CASE WHEN hint <> '' THEN E'\n  hint: ' || hint ELSE '' END;
END
$$;

-- Without its clock values.
CREATE VIEW public.emitted AS
SELECT source, subject, subject_id, event_type, payload, schema_version, correlation_id = id AS own_correlation,
       causation_id, tenant_id, headers, published_to_kafka
FROM lifestream.events;
