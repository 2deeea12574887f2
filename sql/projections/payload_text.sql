-- A text member of a payload. Needed and missing, null or blank: 23502. Not a string: 22023. Both name the event.
-- One expression, which PostgreSQL inlines into the projection that calls it.
CREATE FUNCTION lifestream.payload_text(payload jsonb, member text, needed boolean, event_id uuid) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN jsonb_typeof(payload -> member) = 'string' AND NOT (needed AND btrim(payload ->> member) = '') THEN payload ->> member
        WHEN NOT needed AND payload ->> member IS NULL THEN NULL
        ELSE lifestream.refuse_member(payload, member, event_id) END
$$;
COMMENT ON FUNCTION lifestream.payload_text(jsonb, text, boolean, uuid) IS 'For projections: a text member of a payload, or an error that parks the event';
