-- Refuses the event of another tenant than the one that has claimed its subject (42501). A subject that nobody has
-- claimed belongs to whoever's facts come first: each table guards its own row as well. Gives the owner, or null.
CREATE FUNCTION lifestream.check_tenant(of_subject text, of_tenant text, event_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    owner text;
BEGIN
    SELECT s.tenant_id INTO owner FROM subjects s WHERE s.subject_id = of_subject;
    IF owner <> of_tenant THEN
        PERFORM lifestream.refuse_tenant(owner, of_tenant, of_subject, event_id);
    END IF;
    RETURN owner;
END $$;
COMMENT ON FUNCTION lifestream.check_tenant(text, text, uuid) IS 'For projections: refuses the event of another tenant than the subject''s';
