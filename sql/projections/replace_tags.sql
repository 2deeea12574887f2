-- Makes the enricher's tags of a subject those of the enrichment that counts; as uses where the tenant has rules about tags.
CREATE FUNCTION lifestream.replace_tags(of_subject text, of_tenant text, given text[], of_seq bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    held text;
BEGIN
    -- Of its own, before the statement that looks: that one then sees what was committed while this one waited.
    held := pg_advisory_xact_lock_shared(hashtextextended('lifestream.tag_rules', 0));
    IF NOT EXISTS (SELECT FROM tag_rules r WHERE r.tenant_id = of_tenant) THEN
        DELETE FROM tags WHERE subject_id = of_subject AND origin = 'enricher' AND tag <> ALL (given);
        INSERT INTO tags AS t (subject_id, tag, origin, tenant_id, seq, last_seq)
        SELECT of_subject, g, 'enricher', of_tenant, of_seq, of_seq FROM unnest(given) AS g
        ON CONFLICT (subject_id, tag, origin) DO UPDATE SET seq = of_seq, last_seq = of_seq WHERE t.seq <> of_seq;
        RETURN;
    END IF;
    DELETE FROM tag_uses WHERE subject_id = of_subject AND origin = 'enricher' AND tag <> ALL (given);
    INSERT INTO tag_uses AS u (subject_id, tag, origin, tenant_id, seq, last_seq)
    SELECT of_subject, g, 'enricher', of_tenant, of_seq, of_seq FROM unnest(given) AS g
    ON CONFLICT (subject_id, tag, origin) DO UPDATE SET seq = of_seq, last_seq = of_seq WHERE u.seq <> of_seq;
    PERFORM lifestream.settle_tags(of_tenant, ARRAY[of_subject]);
END $$;
COMMENT ON FUNCTION lifestream.replace_tags(text, text, text[], bigint) IS 'For projections: replaces the tags of an older enrichment';
