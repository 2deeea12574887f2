-- publish.retracted {url: null}: the link has left what is published, until a publication of a higher seq.
CREATE FUNCTION lifestream.project_publish_retracted(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    owner text;
BEGIN
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO publish_state AS p (subject_id, tenant_id, status, retracted_at, retracted_seq)
    VALUES (e.subject_id, e.tenant_id, 'retracted', e.occurred_at, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        status = lifestream.publish_status(p.published_seq, greatest(p.retracted_seq, excluded.retracted_seq)),
        url = CASE WHEN p.published_seq > excluded.retracted_seq THEN p.url END,
        retracted_at = CASE WHEN excluded.retracted_seq >= coalesce(p.retracted_seq, 0) THEN excluded.retracted_at ELSE p.retracted_at END,
        retracted_seq = greatest(p.retracted_seq, excluded.retracted_seq)
    RETURNING p.tenant_id INTO owner;
    IF owner <> e.tenant_id THEN
        PERFORM lifestream.refuse_tenant(owner, e.tenant_id, e.subject_id, e.id);
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.project_publish_retracted(lifestream.events) IS 'Projection of publish.retracted';
