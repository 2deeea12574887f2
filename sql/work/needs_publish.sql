-- No, where the link is removed, or was published after this event.
CREATE FUNCTION lifestream.needs_publish(e lifestream.events) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT NOT EXISTS (SELECT FROM lifestream.links l WHERE l.subject_id = e.subject_id AND l.status = 'removed')
       AND NOT EXISTS (SELECT FROM lifestream.publish_state p WHERE p.subject_id = e.subject_id AND p.published_seq > e.seq);
END;
COMMENT ON FUNCTION lifestream.needs_publish(lifestream.events) IS 'Guard of enrichment.completed -> publish_link';
