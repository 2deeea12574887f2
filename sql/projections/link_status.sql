-- A link's status: the furthest stage reached, or removed while the last removal is newer than the last addition.
CREATE FUNCTION lifestream.link_status(stage integer, added_seq bigint, removed_seq bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN removed_seq > coalesce(added_seq, 0) THEN 'removed'
                ELSE (ARRAY['added', 'unfetchable', 'fetched', 'enriched', 'published'])[stage] END
$$;
COMMENT ON FUNCTION lifestream.link_status(integer, bigint, bigint) IS 'For projections: the status of a link, from its stage and its last addition and removal';
