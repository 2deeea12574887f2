-- What a person decided shall never be published or applied, as it was parked. The stages skip it for as long as it
-- stands here; it is also the answer to why an event has no effect.
CREATE TABLE lifestream.discarded (
    id             bigint      PRIMARY KEY,
    stage          text        NOT NULL,
    consumer_group text,
    event_id       uuid,
    seq            bigint,
    subject_id     text,
    tenant_id      text,
    event_type     text,
    topic          text,
    partition      integer,
    "offset"       bigint,
    record_key     bytea,
    record_value   bytea,
    record_headers jsonb,
    error          text        NOT NULL,
    attempts       integer     NOT NULL,
    parked_at      timestamptz NOT NULL,
    discarded_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX discarded_by_event ON lifestream.discarded (event_id);
COMMENT ON TABLE lifestream.discarded IS 'Events and records that were parked and that a person has put away for good; columns as in lifestream.parked';
COMMENT ON COLUMN lifestream.discarded.id IS 'the number that it had in lifestream.parked';
COMMENT ON COLUMN lifestream.discarded.discarded_at IS 'when its stage did so';
