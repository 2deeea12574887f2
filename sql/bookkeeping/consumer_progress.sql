-- How far the consumers have come whose offsets Kafka keeps: the router and the agents tell it about once a second while
-- they work. Only for people to look at: the offsets that count are those in Kafka.
CREATE TABLE lifestream.consumer_progress (
    consumer_group text        NOT NULL,
    stage          text        NOT NULL,
    topic          text        NOT NULL,
    partition      integer     NOT NULL,
    committed      bigint      NOT NULL,
    high           bigint      NOT NULL,
    oldest_at      timestamptz,
    rate           real        NOT NULL DEFAULT 0,
    error          text,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 10);
COMMENT ON TABLE lifestream.consumer_progress IS 'How far router and agents have come, by consumer group, topic and partition';
COMMENT ON COLUMN lifestream.consumer_progress.stage IS 'the part: router, fetcher, ...';
COMMENT ON COLUMN lifestream.consumer_progress.committed IS 'offset of the next record that is not done';
COMMENT ON COLUMN lifestream.consumer_progress.high IS 'offset of the next record that will be written, when last asked';
COMMENT ON COLUMN lifestream.consumer_progress.oldest_at IS 'when the record at committed was written; null where none waits or it is not known';
COMMENT ON COLUMN lifestream.consumer_progress.rate IS 'records a second, over the last seconds of work';
COMMENT ON COLUMN lifestream.consumer_progress.error IS 'records that were missing, by name and with what to do; lifestream.accept_finding(name) clears it';
