-- The source of truth: every event, append-only.
--
-- No index mentions published_to_kafka, and half of each page is left free, so that setting the flag is a HOT update.
-- Neither partitioned nor inherited from: an INSERT into a child would draw seq without a lock on this table,
-- by which the bridge tells who may still fill a gap. For the same reason the sequence caches nothing.
CREATE TABLE lifestream.events (
    id                 uuid        NOT NULL,
    seq                bigint      NOT NULL GENERATED ALWAYS AS IDENTITY (CACHE 1),
    occurred_at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    received_at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    source             text        NOT NULL,
    subject            text        NOT NULL,
    subject_id         text        NOT NULL,
    event_type         text        NOT NULL,
    payload            jsonb       NOT NULL DEFAULT '{}',
    schema_version     integer     NOT NULL DEFAULT 1,
    correlation_id     uuid,
    causation_id       uuid,
    tenant_id          text        NOT NULL DEFAULT '',
    headers            jsonb       NOT NULL DEFAULT '{}',
    published_to_kafka boolean     NOT NULL DEFAULT false,
    CONSTRAINT events_pkey PRIMARY KEY (id),
    CONSTRAINT events_seq_key UNIQUE (seq)
) WITH (fillfactor = 48);

-- expected_version counts a subject's events; rebuilds read them in order.
CREATE INDEX events_subject_id_seq_idx ON lifestream.events (subject_id, seq);

COMMENT ON TABLE lifestream.events IS 'Every event, append-only: the source of truth';
COMMENT ON COLUMN lifestream.events.seq IS 'Emit order; gaps mean nothing';
COMMENT ON COLUMN lifestream.events.published_to_kafka IS 'Set by the bridge once Kafka has acknowledged the event';
