-- Says what is wrong with a member of a payload: missing, null or blank where it is needed 23502, no string 22023.
CREATE FUNCTION lifestream.refuse_member(payload jsonb, member text, event_id uuid) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    found jsonb := payload -> member;
BEGIN
    IF jsonb_typeof(found) NOT IN ('null', 'string') THEN
        RAISE EXCEPTION '"%" of event % is no string: %', member, event_id, left(found::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RAISE EXCEPTION 'payload of event % lacks "%"', event_id, member
        USING ERRCODE = 'not_null_violation', DETAIL = format('Payload: %s', left(payload::text, 500));
END $$;
COMMENT ON FUNCTION lifestream.refuse_member(jsonb, text, uuid) IS 'For projections: the error that parks an event for a member of its payload';
