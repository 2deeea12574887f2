-- annotation.added {text, ...}: put to any subject; needs nothing of its payload, which is kept whole.
CREATE FUNCTION lifestream.project_annotation_added(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    given_text text := lifestream.payload_text(e.payload, 'text', false, e.id);
    owner text;
BEGIN
    owner := lifestream.claim_subject(e.subject_id, e.tenant_id, e.subject, e.occurred_at, e.seq, e.id);
    INSERT INTO annotations (event_id, tenant_id, subject_id, text, payload, annotated_at, seq)
    VALUES (e.id, e.tenant_id, e.subject_id, given_text, e.payload, e.occurred_at, e.seq)
    ON CONFLICT (event_id) DO NOTHING;
END $$;
COMMENT ON FUNCTION lifestream.project_annotation_added(lifestream.events) IS 'Projection of annotation.added';
