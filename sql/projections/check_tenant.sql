-- Refuses an event whose subject belongs to another tenant (42501); `owner` null: to nobody so far.
CREATE FUNCTION lifestream.check_tenant(owner text, e lifestream.events) RETURNS void
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF owner <> e.tenant_id THEN
        RAISE EXCEPTION 'subject "%" of event % belongs to tenant "%", not to "%"', e.subject_id, e.id, owner, e.tenant_id
            USING ERRCODE = 'insufficient_privilege', HINT = 'Subject ids are unique over all tenants.';
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.check_tenant(text, lifestream.events) IS 'For projections: refuses an event whose subject belongs to another tenant';
