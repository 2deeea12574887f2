-- Attempts at work that failed, one row for each work message (an attempt has a message of its own).
CREATE TABLE lifestream.work_attempts (
    work_id      uuid        NOT NULL,
    attempt      integer     NOT NULL,
    tenant_id    text        NOT NULL,
    subject_id   text        NOT NULL,
    work_type    text        NOT NULL,
    agent        text,
    error        text        NOT NULL,
    permanent    boolean     NOT NULL,
    failed_at    timestamptz NOT NULL,
    event_id     uuid        NOT NULL,
    seq          bigint      NOT NULL,
    work_message jsonb       NOT NULL,
    PRIMARY KEY (work_id, attempt)
);
CREATE INDEX work_attempts_by_subject ON lifestream.work_attempts (subject_id);
COMMENT ON TABLE lifestream.work_attempts IS 'Failed attempts at work, from work.failed';
COMMENT ON COLUMN lifestream.work_attempts.work_id IS 'id of the work message';
COMMENT ON COLUMN lifestream.work_attempts.permanent IS 'trying again cannot help';
COMMENT ON COLUMN lifestream.work_attempts.event_id IS 'the work.failed that says so: the newest, should one attempt fail twice';
