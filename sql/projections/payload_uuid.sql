-- A member of an object as a uuid; null where it is none. Dead letters take what they are given.
CREATE FUNCTION lifestream.payload_uuid(payload jsonb, member text) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN payload ->> member ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN (payload ->> member)::uuid END
$$;
COMMENT ON FUNCTION lifestream.payload_uuid(jsonb, text) IS 'For projections: a member of an object as a uuid, or null';
