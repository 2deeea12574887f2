-- What becomes of a tag as given: the one that it stands for, and the seq below which its uses were dropped (0: none were).
-- A drop takes what stands for the dropped tag at that time.
CREATE FUNCTION lifestream.tag_fate(of_tenant text, given text, OUT becomes text, OUT dropped_below bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    becomes := lifestream.resolve_tag(of_tenant, given, NULL);
    dropped_below := coalesce((
        SELECT max(r.seq) FROM tag_rules r
        WHERE r.tenant_id = of_tenant AND r.into_tag IS NULL AND lifestream.resolve_tag(of_tenant, given, r.seq) = r.tag), 0);
END $$;
COMMENT ON FUNCTION lifestream.tag_fate(text, text) IS 'For projections: what merging and dropping make of a tag';
