-- What Kafka or a projection will not take, with its error, and the later events of the same subject (and tenant) behind it.
-- The foreign key is also the guard of a release: whoever releases a subject locks the first row, so that nothing can
-- join the queue behind it unseen; a consumer that comes too late meets 23503 and looks again.
CREATE TABLE lifestream.parked (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stage          text        NOT NULL CHECK (stage IN ('bridge', 'materializer')),
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
    behind         bigint      CONSTRAINT parked_behind_fkey REFERENCES lifestream.parked (id),
    attempts       integer     NOT NULL DEFAULT 1,
    decision       text        CHECK (decision IN ('retry', 'discard')) CHECK (decision IS NULL OR behind IS NULL),
    parked_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX parked_by_subject ON lifestream.parked (subject_id, id);
CREATE INDEX parked_behind ON lifestream.parked (behind) WHERE behind IS NOT NULL;
CREATE INDEX parked_decided ON lifestream.parked (id) WHERE decision IS NOT NULL;
-- An event parks once, whatever is delivered again; a record that is no event (no seq) has only its offset.
CREATE UNIQUE INDEX parked_once ON lifestream.parked (stage, coalesce(consumer_group, ''), event_id) WHERE seq IS NOT NULL;
COMMENT ON TABLE lifestream.parked IS 'Events and records set aside with their error; later events of the same subject wait behind them';
COMMENT ON COLUMN lifestream.parked.stage IS 'who set it aside: bridge (Kafka refuses it) or materializer (a projection refuses it, or it is no event)';
COMMENT ON COLUMN lifestream.parked.subject_id IS 'the subject that is held back; null where a record names none';
COMMENT ON COLUMN lifestream.parked.tenant_id IS 'materializer: whose events of that subject are held back; null where a record cannot be read: everybody''s';
COMMENT ON COLUMN lifestream.parked.record_headers IS 'array of [name, value] pairs, as the record had them; a value that is not UTF-8 is given as {"base64": ...}, a missing one as null';
COMMENT ON COLUMN lifestream.parked.behind IS 'the row whose release this one waits for: the first of its subject; null for that one itself';
COMMENT ON COLUMN lifestream.parked.attempts IS 'how often it was tried';
COMMENT ON COLUMN lifestream.parked.decision IS 'what a person decided, until the stage has done it; null while it waits for that';
