-- link.removed: the link leaves until a link.added of a higher seq. Removed before it is known, it is a row without a URL.
CREATE FUNCTION lifestream.project_link_removed(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    owner text;
    known_stage integer := lifestream.known_link_stage(e.subject_id);
BEGIN
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO links AS l (subject_id, tenant_id, stage, status, removed_at, removed_seq)
    VALUES (e.subject_id, e.tenant_id, known_stage, 'removed', e.occurred_at, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        status = lifestream.link_status(l.stage, l.added_seq, greatest(l.removed_seq, e.seq)),
        removed_at = CASE WHEN e.seq >= coalesce(l.removed_seq, 0) THEN e.occurred_at ELSE l.removed_at END,
        removed_seq = greatest(l.removed_seq, e.seq)
    RETURNING l.tenant_id INTO owner;
    IF owner <> e.tenant_id THEN
        PERFORM lifestream.refuse_tenant(owner, e.tenant_id, e.subject_id, e.id);
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.project_link_removed(lifestream.events) IS 'Projection of link.removed';
