-- todo.created {title, ...}: the newest counts; the whole payload is kept.
CREATE FUNCTION lifestream.project_todo_created(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    given_title text := lifestream.payload_text(e.payload, 'title', true, e.id);
    owner text;
BEGIN
    owner := lifestream.claim_subject(e.subject_id, e.tenant_id, e.subject, e.occurred_at, e.seq, e.id);
    INSERT INTO todos AS t (subject_id, tenant_id, title, status, payload, created_at, created_seq)
    VALUES (e.subject_id, e.tenant_id, given_title, 'open', e.payload, e.occurred_at, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        title = CASE WHEN e.seq >= coalesce(t.created_seq, 0) THEN given_title ELSE t.title END,
        payload = CASE WHEN e.seq >= coalesce(t.created_seq, 0) THEN e.payload ELSE t.payload END,
        created_at = least(t.created_at, e.occurred_at),
        created_seq = greatest(t.created_seq, e.seq);
END $$;
COMMENT ON FUNCTION lifestream.project_todo_created(lifestream.events) IS 'Projection of todo.created';
