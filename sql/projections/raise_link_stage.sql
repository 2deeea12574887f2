-- Raises a link's stage; never lowers it. A link that is not known yet gets its stage when it comes.
CREATE FUNCTION lifestream.raise_link_stage(of_subject text, reached integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE links SET stage = reached WHERE subject_id = of_subject AND stage < reached;
END $$;
COMMENT ON FUNCTION lifestream.raise_link_stage(text, integer) IS 'For projections: raises links.stage, never lowers it';
