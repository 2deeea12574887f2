-- tag.merged {from, into}: from is another name for into, for good. Merged into itself, nothing changes.
CREATE FUNCTION lifestream.project_tag_merged(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    merged text := btrim(lifestream.payload_text(e.payload, 'from', true, e.id));
    into_tag text := btrim(lifestream.payload_text(e.payload, 'into', true, e.id));
BEGIN
    IF merged <> into_tag THEN
        PERFORM lifestream.add_tag_rule(e.tenant_id, merged, into_tag, e.seq);
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.project_tag_merged(lifestream.events) IS 'Projection of tag.merged';
