-- Work that nobody will try again by itself, with its whole story and what a person decided about it.
CREATE TABLE lifestream.dead_letters (
    id                    uuid        PRIMARY KEY,
    tenant_id             text        NOT NULL,
    subject_id            text        NOT NULL,
    work_type             text,
    status                text        NOT NULL,
    attempt               integer,
    agent                 text,
    error                 text,
    failed_at             timestamptz,
    attempts              jsonb       NOT NULL DEFAULT '[]',
    decided_at            timestamptz,
    reason                text,
    work_id               uuid,
    triggered_by_event_id uuid,
    correlation_id        uuid,
    work_message          jsonb,
    seq                   bigint,
    decided_seq           bigint
) WITH (fillfactor = 80);
CREATE INDEX dead_letters_by_subject ON lifestream.dead_letters (subject_id);
CREATE INDEX dead_letters_open ON lifestream.dead_letters (failed_at) WHERE status = 'open';
COMMENT ON TABLE lifestream.dead_letters IS 'Dead letters: SELECT lifestream.retry_dead_letter(id), or discard_dead_letter(id), FROM lifestream.dead_letters WHERE ...';
COMMENT ON COLUMN lifestream.dead_letters.id IS 'of the work.dead_lettered that says so';
COMMENT ON COLUMN lifestream.dead_letters.work_type IS 'null where the message does not tell, as most others: a record that was no work message is a dead letter too';
COMMENT ON COLUMN lifestream.dead_letters.status IS 'open, retried or discarded; of two decisions the first counts';
COMMENT ON COLUMN lifestream.dead_letters.attempt IS 'the last attempt';
COMMENT ON COLUMN lifestream.dead_letters.agent IS 'who gave it up';
COMMENT ON COLUMN lifestream.dead_letters.error IS 'the last error';
COMMENT ON COLUMN lifestream.dead_letters.attempts IS 'every failed attempt: array of {attempt, failed_at, agent, permanent, error}; as rows in lifestream.dead_letter_story';
COMMENT ON COLUMN lifestream.dead_letters.work_message IS 'the work message; or {raw, topic, partition, offset} of a record that was none';
COMMENT ON COLUMN lifestream.dead_letters.decided_at IS 'occurred_at of the work.retry_requested or work.discarded';
COMMENT ON COLUMN lifestream.dead_letters.reason IS 'given with work.discarded';
