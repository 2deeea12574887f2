-- The tags of a payload: trimmed, without blanks and repeats. Missing or null is none; anything but an array of strings is 22023.
CREATE FUNCTION lifestream.payload_tags(payload jsonb, event_id uuid) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    given jsonb := payload -> 'tags';
BEGIN
    IF given IS NULL OR jsonb_typeof(given) = 'null' THEN
        RETURN '{}';
    END IF;
    IF jsonb_typeof(given) <> 'array' OR jsonb_path_exists(given, 'strict $[*] ? (@.type() != "string")') THEN
        RAISE EXCEPTION '"tags" of event % is no array of strings: %', event_id, left(given::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN ARRAY(SELECT DISTINCT btrim(tag) FROM jsonb_array_elements_text(given) AS tag WHERE btrim(tag) <> '' ORDER BY 1);
END $$;
COMMENT ON FUNCTION lifestream.payload_tags(jsonb, uuid) IS 'For projections: the tags of a payload, or an error that parks the event';
