-- Keeps rules about tags from coming in until the transaction ends, and tells whether the tenant has any.
CREATE FUNCTION lifestream.hold_tag_rules(of_tenant text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    held text;
BEGIN
    -- Of its own, before the statement that looks: that one then sees what was committed while this one waited.
    held := pg_advisory_xact_lock_shared(hashtextextended('lifestream.tag_rules', 0));
    RETURN EXISTS (SELECT FROM tag_rules r WHERE r.tenant_id = of_tenant);
END $$;
COMMENT ON FUNCTION lifestream.hold_tag_rules(text) IS 'For projections: whether a tenant has rules about tags, which stays so until the transaction ends';
