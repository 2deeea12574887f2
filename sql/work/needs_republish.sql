-- A link added again that had been enriched before: what it has now goes out anew, or comes back. An enrichment after this
-- event brings its own work, so that no link is published twice for one reason.
CREATE FUNCTION lifestream.needs_republish(e lifestream.events) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM lifestream.link_metadata m WHERE m.subject_id = e.subject_id AND m.seq < e.seq)
       AND lifestream.needs_publish(e);
END;
COMMENT ON FUNCTION lifestream.needs_republish(lifestream.events) IS 'Guard of link.added -> publish_link';
