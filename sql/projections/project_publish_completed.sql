-- publish.completed {url}: where the link was published; the newest counts.
CREATE FUNCTION lifestream.project_publish_completed(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    given_url text := lifestream.payload_text(e.payload, 'url', true, e.id);
    owner text;
    raised boolean;
BEGIN
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO publish_state AS p (subject_id, tenant_id, status, url, published_at, published_seq)
    VALUES (e.subject_id, e.tenant_id, 'published', given_url, e.occurred_at, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        status = lifestream.publish_status(greatest(p.published_seq, excluded.published_seq), p.retracted_seq),
        url = CASE WHEN excluded.published_seq < coalesce(p.published_seq, 0) THEN p.url
                   WHEN excluded.published_seq > coalesce(p.retracted_seq, 0) THEN excluded.url END,
        published_at = CASE WHEN excluded.published_seq >= coalesce(p.published_seq, 0) THEN excluded.published_at ELSE p.published_at END,
        published_seq = greatest(p.published_seq, excluded.published_seq)
    RETURNING p.tenant_id INTO owner;
    IF owner <> e.tenant_id THEN
        PERFORM lifestream.refuse_tenant(owner, e.tenant_id, e.subject_id, e.id);
    END IF;
    raised := lifestream.raise_link_stage(e.subject_id, 5);
END $$;
COMMENT ON FUNCTION lifestream.project_publish_completed(lifestream.events) IS 'Projection of publish.completed';
