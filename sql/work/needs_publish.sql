-- No, where it was published after this event, or the link is removed: by a later fact, or by an earlier one as far as the
-- state has come to this event. A state that lags may not know yet that the link was added again.
CREATE FUNCTION lifestream.needs_publish(e lifestream.events) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM lifestream.publish_state p WHERE p.subject_id = e.subject_id AND p.published_seq > e.seq)
       AND NOT EXISTS (SELECT FROM lifestream.links l
                       WHERE l.subject_id = e.subject_id AND l.status = 'removed'
                         AND (l.removed_seq > e.seq
                              OR EXISTS (SELECT FROM lifestream.publish_state p WHERE p.subject_id = e.subject_id AND p.enriched_seq >= e.seq)));
END $$;
COMMENT ON FUNCTION lifestream.needs_publish(lifestream.events) IS 'Guard of enrichment.completed -> publish_link';
