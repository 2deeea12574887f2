-- Records an event's subject, for the tenant that names it first; refuses the event of another (42501). Gives the tenant.
CREATE FUNCTION lifestream.claim_subject(of_subject text, of_tenant text, of_kind text, at timestamptz, of_seq bigint, event_id uuid) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    owner text;
BEGIN
    INSERT INTO subjects AS s (subject_id, tenant_id, kind, first_seen_at, last_seen_at, first_seq, last_seq)
    VALUES (of_subject, of_tenant, of_kind, at, at, of_seq, of_seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        kind = CASE WHEN excluded.first_seq < s.first_seq THEN excluded.kind ELSE s.kind END,
        first_seen_at = least(s.first_seen_at, excluded.first_seen_at),
        last_seen_at = greatest(s.last_seen_at, excluded.last_seen_at),
        first_seq = least(s.first_seq, excluded.first_seq),
        last_seq = greatest(s.last_seq, excluded.last_seq)
    RETURNING s.tenant_id INTO owner;
    IF owner <> of_tenant THEN
        PERFORM lifestream.refuse_tenant(owner, of_tenant, of_subject, event_id);
    END IF;
    RETURN owner;
END $$;
COMMENT ON FUNCTION lifestream.claim_subject(text, text, text, timestamptz, bigint, uuid) IS 'For projections: records the subject, and refuses the event of another tenant';
