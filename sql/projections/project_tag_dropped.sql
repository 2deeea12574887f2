-- tag.dropped {tag}: every use of it so far goes. A later use brings the tag back.
CREATE FUNCTION lifestream.project_tag_dropped(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lifestream.add_tag_rule(e.tenant_id, btrim(lifestream.payload_text(e.payload, 'tag', true, e.id)), NULL, e.seq);
END $$;
COMMENT ON FUNCTION lifestream.project_tag_dropped(lifestream.events) IS 'Projection of tag.dropped';
