-- A text member of a payload. Needed and missing, null or blank: 23502. Not a string: 22023. Both name the event.
CREATE FUNCTION lifestream.payload_text(payload jsonb, member text, needed boolean, event_id uuid) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    found text := payload ->> member;
BEGIN
    IF found IS NULL OR (needed AND btrim(found) = '') THEN
        IF needed THEN
            RAISE EXCEPTION 'payload of event % lacks "%"', event_id, member
                USING ERRCODE = 'not_null_violation', DETAIL = format('Payload: %s', left(payload::text, 500));
        END IF;
        RETURN NULL;
    END IF;
    IF jsonb_typeof(payload -> member) <> 'string' THEN
        RAISE EXCEPTION '"%" of event % is no string: %', member, event_id, left(found, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION lifestream.payload_text(jsonb, text, boolean, uuid) IS 'For projections: a text member of a payload, or an error that parks the event';
