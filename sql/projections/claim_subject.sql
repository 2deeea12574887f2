-- Records an event's subject, for the tenant that names it first.
CREATE FUNCTION lifestream.claim_subject(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    owner text;
BEGIN
    INSERT INTO subjects AS s (subject_id, tenant_id, kind, first_seen_at, last_seen_at, first_seq, last_seq)
    VALUES (e.subject_id, e.tenant_id, e.subject, e.occurred_at, e.occurred_at, e.seq, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        kind = CASE WHEN excluded.first_seq < s.first_seq THEN excluded.kind ELSE s.kind END,
        first_seen_at = least(s.first_seen_at, excluded.first_seen_at),
        last_seen_at = greatest(s.last_seen_at, excluded.last_seen_at),
        first_seq = least(s.first_seq, excluded.first_seq),
        last_seq = greatest(s.last_seq, excluded.last_seq)
    RETURNING s.tenant_id INTO owner;
    IF owner <> e.tenant_id THEN
        PERFORM lifestream.check_tenant(owner, e);
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.claim_subject(lifestream.events) IS 'For projections: records the subject, and refuses the event of another tenant';
