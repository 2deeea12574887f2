-- The status of a publication, from the newest that was published and the newest that was taken back.
CREATE FUNCTION lifestream.publish_status(published_seq bigint, retracted_seq bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN retracted_seq > coalesce(published_seq, 0) THEN 'retracted'
                WHEN published_seq IS NOT NULL THEN 'published' ELSE 'ready' END
$$;
COMMENT ON FUNCTION lifestream.publish_status(bigint, bigint) IS 'For projections: the status of a publication';
