-- Adds what a person gave to the tags of a subject, or to its uses where the tenant has rules about tags.
CREATE FUNCTION lifestream.use_tags(of_subject text, of_tenant text, given text[], of_seq bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    held text;
BEGIN
    -- Of its own, before the statement that looks: that one then sees what was committed while this one waited.
    held := pg_advisory_xact_lock_shared(hashtextextended('lifestream.tag_rules', 0));
    IF NOT EXISTS (SELECT FROM tag_rules r WHERE r.tenant_id = of_tenant) THEN
        INSERT INTO tags AS t (subject_id, tag, origin, tenant_id, seq, last_seq)
        SELECT of_subject, g, 'user', of_tenant, of_seq, of_seq FROM unnest(given) AS g
        ON CONFLICT (subject_id, tag, origin) DO UPDATE SET seq = least(t.seq, of_seq), last_seq = greatest(t.last_seq, of_seq)
        WHERE of_seq < t.seq OR of_seq > t.last_seq;
        RETURN;
    END IF;
    INSERT INTO tag_uses AS u (subject_id, tag, origin, tenant_id, seq, last_seq)
    SELECT of_subject, g, 'user', of_tenant, of_seq, of_seq FROM unnest(given) AS g
    ON CONFLICT (subject_id, tag, origin) DO UPDATE SET seq = least(u.seq, of_seq), last_seq = greatest(u.last_seq, of_seq)
    WHERE of_seq < u.seq OR of_seq > u.last_seq;
    PERFORM lifestream.settle_tags(of_tenant, ARRAY[of_subject]);
END $$;
COMMENT ON FUNCTION lifestream.use_tags(text, text, text[], bigint) IS 'For projections: adds tags that a person gave';
