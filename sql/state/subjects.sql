-- Who or what a person's own facts are about. One subject id belongs to one tenant: the first that names it.
-- The times and seqs are the outermost of the events seen, so that any order of them, and any repeat, ends the same.
CREATE TABLE lifestream.subjects (
    subject_id    text        PRIMARY KEY,
    tenant_id     text        NOT NULL,
    kind          text        NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    first_seq     bigint      NOT NULL,
    last_seq      bigint      NOT NULL
) WITH (fillfactor = 85);
COMMENT ON TABLE lifestream.subjects IS 'Subjects of links, todos and annotations, each with the tenant that owns it';
COMMENT ON COLUMN lifestream.subjects.kind IS 'events.subject of the earliest event (by seq)';
COMMENT ON COLUMN lifestream.subjects.first_seen_at IS 'earliest occurred_at';
COMMENT ON COLUMN lifestream.subjects.last_seen_at IS 'latest occurred_at';
