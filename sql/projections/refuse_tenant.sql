-- Refuses an event whose subject belongs to another tenant (42501).
CREATE FUNCTION lifestream.refuse_tenant(owner text, tenant_id text, subject_id text, event_id uuid) RETURNS void
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RAISE EXCEPTION 'subject "%" of event % belongs to tenant "%", not to "%"', subject_id, event_id, owner, tenant_id
        USING ERRCODE = 'insufficient_privilege', HINT = 'Subject ids are unique over all tenants.';
END $$;
COMMENT ON FUNCTION lifestream.refuse_tenant(text, text, text, uuid) IS 'For projections: the error that parks the event of another tenant';
