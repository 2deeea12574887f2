-- The stage that a link starts at: facts about it may have come before the link itself.
CREATE FUNCTION lifestream.known_link_stage(of_subject text) RETURNS integer
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce(
        (SELECT 5 FROM publish_state WHERE subject_id = of_subject AND published_seq IS NOT NULL),
        (SELECT 4 FROM link_metadata WHERE subject_id = of_subject),
        (SELECT CASE WHEN text_seq IS NULL THEN 2 ELSE 3 END FROM link_content WHERE subject_id = of_subject),
        1);
END $$;
COMMENT ON FUNCTION lifestream.known_link_stage(text) IS 'For projections: the stage that a link starts at';
