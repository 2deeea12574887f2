-- Things to do. What is done stays done: a late or repeated todo.created does not open it again.
CREATE TABLE lifestream.todos (
    subject_id    text        PRIMARY KEY,
    tenant_id     text        NOT NULL,
    title         text,
    status        text        NOT NULL,
    payload       jsonb       NOT NULL DEFAULT '{}',
    created_at    timestamptz,
    completed_at  timestamptz,
    created_seq   bigint,
    completed_seq bigint
) WITH (fillfactor = 80);
COMMENT ON TABLE lifestream.todos IS 'Todos, open and completed';
COMMENT ON COLUMN lifestream.todos.title IS 'of the newest todo.created; null while only the completion is known';
COMMENT ON COLUMN lifestream.todos.payload IS 'of the newest todo.created';
COMMENT ON COLUMN lifestream.todos.created_at IS 'earliest occurred_at of a todo.created';
COMMENT ON COLUMN lifestream.todos.completed_at IS 'earliest occurred_at of a todo.completed';
COMMENT ON COLUMN lifestream.todos.created_seq IS 'seq of the newest todo.created';
COMMENT ON COLUMN lifestream.todos.completed_seq IS 'seq of the newest todo.completed';
