-- Notes put to any subject, one row an event.
CREATE TABLE lifestream.annotations (
    event_id     uuid        PRIMARY KEY,
    tenant_id    text        NOT NULL,
    subject_id   text        NOT NULL,
    text         text,
    payload      jsonb       NOT NULL,
    annotated_at timestamptz NOT NULL,
    seq          bigint      NOT NULL
);
CREATE INDEX annotations_by_subject ON lifestream.annotations (subject_id);
COMMENT ON TABLE lifestream.annotations IS 'Annotations of subjects';
COMMENT ON COLUMN lifestream.annotations.text IS 'member text of the payload, where it has one';
COMMENT ON COLUMN lifestream.annotations.payload IS 'the whole payload; numbers exact';
COMMENT ON COLUMN lifestream.annotations.annotated_at IS 'occurred_at of the event';
