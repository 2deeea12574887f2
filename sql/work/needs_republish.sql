-- A link added again that had been enriched before: what it has now goes out anew, or comes back. An enrichment after this
-- event brings its own work, so that no link is published twice for one reason.
CREATE FUNCTION lifestream.needs_republish(e lifestream.events) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM lifestream.publish_state p WHERE p.subject_id = e.subject_id AND p.enriched_seq < e.seq)
       AND NOT EXISTS (SELECT FROM lifestream.publish_state p WHERE p.subject_id = e.subject_id AND p.published_seq > e.seq)
       AND NOT EXISTS (SELECT FROM lifestream.links l WHERE l.subject_id = e.subject_id AND l.removed_seq > e.seq);
END $$;
COMMENT ON FUNCTION lifestream.needs_republish(lifestream.events) IS 'Guard of link.added -> publish_link';
