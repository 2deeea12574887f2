-- Keeps a rule and settles every subject of the tenant that has used one of the tags which it reaches. A tenant's first rule
-- makes its uses a table of their own.
-- Whoever adds a use holds the same lock in share mode: of a use and a rule at the same time, the later one sees the earlier.
CREATE FUNCTION lifestream.add_tag_rule(of_tenant text, of_tag text, of_into text, of_seq bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    concerned text[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('lifestream.tag_rules', 0));
    IF NOT EXISTS (SELECT FROM tag_rules r WHERE r.tenant_id = of_tenant) THEN
        INSERT INTO tag_uses (subject_id, tag, origin, tenant_id, seq, last_seq)
        SELECT t.subject_id, t.tag, t.origin, t.tenant_id, t.seq, t.last_seq FROM tags t WHERE t.tenant_id = of_tenant;
    END IF;
    INSERT INTO tag_rules (tenant_id, tag, into_tag, seq) VALUES (of_tenant, of_tag, of_into, of_seq)
    ON CONFLICT (tenant_id, tag, seq) DO NOTHING;
    WITH RECURSIVE reached (tag) AS (
        VALUES (of_tag)
        UNION
        SELECT CASE WHEN r.tag = reached.tag THEN r.into_tag ELSE r.tag END
        FROM reached JOIN tag_rules r ON r.tenant_id = of_tenant AND r.into_tag IS NOT NULL AND reached.tag IN (r.tag, r.into_tag)
    )
    SELECT array_agg(DISTINCT u.subject_id) INTO concerned
    FROM tag_uses u WHERE u.tenant_id = of_tenant AND u.tag IN (SELECT reached.tag FROM reached);
    IF concerned IS NOT NULL THEN
        PERFORM lifestream.settle_tags(of_tenant, concerned);
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.add_tag_rule(text, text, text, bigint) IS 'For projections: keeps a rule about tags and applies it';
