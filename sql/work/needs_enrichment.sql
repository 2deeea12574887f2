-- Only where there is text, of the newest fetch that gave any, and not this very text enriched already. Also for a link that
-- is removed: nothing would enrich it when it is added again.
CREATE FUNCTION lifestream.needs_enrichment(e lifestream.events) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN e.payload ->> 'fetch_error' IS NULL
       AND coalesce(e.payload ->> 'text_content' ~ '\S', false)
       AND NOT EXISTS (SELECT FROM lifestream.link_content c
                       WHERE c.subject_id = e.subject_id AND c.text_seq > e.seq AND c.text_content ~ '\S')
       AND NOT EXISTS (SELECT FROM lifestream.link_metadata m
                       WHERE m.subject_id = e.subject_id
                         AND m.text_digest = encode(sha256(convert_to(e.payload ->> 'text_content', 'UTF8')), 'hex'));
END $$;
COMMENT ON FUNCTION lifestream.needs_enrichment(lifestream.events) IS 'Guard of content.fetched -> enrich_link';
