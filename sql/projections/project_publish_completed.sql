-- publish.completed {url}: where the link was published; the newest counts.
CREATE FUNCTION lifestream.project_publish_completed(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    given_url text := lifestream.payload_text(e.payload, 'url', true, e.id);
BEGIN
    PERFORM lifestream.check_tenant(lifestream.subject_owner(e.subject_id), e);
    INSERT INTO publish_state AS p (subject_id, tenant_id, url, published_at, published_seq)
    VALUES (e.subject_id, e.tenant_id, given_url, e.occurred_at, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        url = excluded.url, published_at = excluded.published_at, published_seq = excluded.published_seq
    WHERE excluded.published_seq >= coalesce(p.published_seq, 0);
    PERFORM lifestream.raise_link_stage(e.subject_id, 5);
END $$;
COMMENT ON FUNCTION lifestream.project_publish_completed(lifestream.events) IS 'Projection of publish.completed';
