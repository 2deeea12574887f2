-- todo.completed: needs nothing of its payload. Completed before it is known, a todo is a row without a title.
CREATE FUNCTION lifestream.project_todo_completed(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    owner text;
BEGIN
    owner := lifestream.claim_subject(e.subject_id, e.tenant_id, e.subject, e.occurred_at, e.seq, e.id);
    INSERT INTO todos AS t (subject_id, tenant_id, status, completed_at, completed_seq)
    VALUES (e.subject_id, e.tenant_id, 'completed', e.occurred_at, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        status = 'completed',
        completed_at = least(t.completed_at, e.occurred_at),
        completed_seq = greatest(t.completed_seq, e.seq);
END $$;
COMMENT ON FUNCTION lifestream.project_todo_completed(lifestream.events) IS 'Projection of todo.completed';
