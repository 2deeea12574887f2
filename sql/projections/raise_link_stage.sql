-- Raises a link's stage; never lowers it. A link that is not known yet gets its stage when it comes.
CREATE FUNCTION lifestream.raise_link_stage(of_subject text, reached integer) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE links SET stage = reached, status = lifestream.link_status(reached, added_seq, removed_seq)
    WHERE subject_id = of_subject AND stage < reached;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION lifestream.raise_link_stage(text, integer) IS 'For projections: raises links.stage, never lowers it';
