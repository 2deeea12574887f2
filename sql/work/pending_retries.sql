-- Work that waits: an attempt that comes later, or work for a host that is not to be asked now. The router's own table,
-- so that a restart forgets none; it sends what is due.
CREATE TABLE lifestream.pending_retries (
    work_id        uuid        NOT NULL,
    consumer_group text        NOT NULL DEFAULT '',
    work_type      text        NOT NULL,
    tenant_id      text        NOT NULL,
    subject_id     text        NOT NULL,
    attempt        integer     NOT NULL CHECK (attempt > 0),
    not_before     timestamptz NOT NULL,
    reason         text        NOT NULL CHECK (reason IN ('retry', 'circuit', 'lane', 'state')),
    work_message   jsonb       NOT NULL CHECK (jsonb_typeof(work_message) = 'object'),
    queued_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (work_id, consumer_group)
);
CREATE INDEX pending_retries_due ON lifestream.pending_retries (not_before);
COMMENT ON TABLE lifestream.pending_retries IS 'Work that waits for its not_before; the router sends what is due';
COMMENT ON COLUMN lifestream.pending_retries.work_id IS 'id of the work message, which names its attempt';
COMMENT ON COLUMN lifestream.pending_retries.consumer_group IS 'the group that wants it, without prefix: it failed, or put it off; empty where nobody says';
COMMENT ON COLUMN lifestream.pending_retries.reason IS 'retry: the attempt before failed; circuit: its host or API is paused; lane: too much else waits for its host or API; state: the state does not yet include what it is about';
COMMENT ON COLUMN lifestream.pending_retries.work_message IS 'as it will be sent';
