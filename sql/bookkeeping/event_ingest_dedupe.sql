-- One row for each event that a consumer group has taken in, written in the transaction of its effect.
CREATE TABLE lifestream.event_ingest_dedupe (
    consumer_group text        NOT NULL,
    event_id       uuid        NOT NULL,
    topic          text        NOT NULL,
    partition      integer     NOT NULL,
    "offset"       bigint      NOT NULL,
    ingested_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer_group, event_id)
);
COMMENT ON TABLE lifestream.event_ingest_dedupe IS 'Events taken in, by consumer group: a repeat is known by its id and changes nothing';
COMMENT ON COLUMN lifestream.event_ingest_dedupe."offset" IS 'of the record that was applied, not of its repeats';
