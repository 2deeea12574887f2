-- No, once a fetch has succeeded, or one has failed for good since; nor when the link was removed later. A link that could
-- not be fetched and is added again is tried again.
CREATE FUNCTION lifestream.needs_fetch(e lifestream.events) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM lifestream.link_content c
                       WHERE c.subject_id = e.subject_id AND (c.text_seq IS NOT NULL OR c.seq > e.seq))
       AND NOT EXISTS (SELECT FROM lifestream.links l WHERE l.subject_id = e.subject_id AND l.removed_seq > e.seq);
END $$;
COMMENT ON FUNCTION lifestream.needs_fetch(lifestream.events) IS 'Guard of link.added -> fetch_link';
