-- The tenant that a subject belongs to: as its subjects row says, else as what is known of the link says (facts about a
-- link may come before the link); null where nothing is known.
CREATE FUNCTION lifestream.subject_owner(of_subject text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    owner text;
BEGIN
    SELECT tenant_id INTO owner FROM subjects WHERE subject_id = of_subject;
    IF owner IS NULL THEN
        SELECT tenant_id INTO owner FROM (
            SELECT tenant_id FROM links WHERE subject_id = of_subject
            UNION ALL SELECT tenant_id FROM link_content WHERE subject_id = of_subject
            UNION ALL SELECT tenant_id FROM link_metadata WHERE subject_id = of_subject
            UNION ALL SELECT tenant_id FROM publish_state WHERE subject_id = of_subject
            UNION ALL SELECT tenant_id FROM temperature_latest WHERE subject_id = of_subject
            UNION ALL SELECT tenant_id FROM todos WHERE subject_id = of_subject) AS known
        LIMIT 1;
    END IF;
    RETURN owner;
END $$;
COMMENT ON FUNCTION lifestream.subject_owner(text) IS 'For projections: the tenant that a subject belongs to, or null';
