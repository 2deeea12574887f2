-- Roles belong to the whole cluster: a second database finds them there already, and DROP EXTENSION leaves them.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['lifestream_emitter', 'lifestream_reader', 'lifestream_bridge', 'lifestream_agent', 'lifestream_admin'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', name);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;  -- another database of this cluster made it at this very moment
        END;
    END LOOP;
END
$$;

-- An administrator may do what every part may.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['lifestream_emitter', 'lifestream_reader', 'lifestream_bridge', 'lifestream_agent'] LOOP
        IF NOT EXISTS (
            SELECT FROM pg_catalog.pg_auth_members
            WHERE roleid = name::pg_catalog.regrole AND member = 'lifestream_admin'::pg_catalog.regrole
        ) THEN
            BEGIN
                EXECUTE pg_catalog.format('GRANT %I TO lifestream_admin', name);
            EXCEPTION WHEN unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
END
$$;
