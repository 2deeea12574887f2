-- How far each consumer group has come, in the very transaction of what it did. A writer compares and sets: it
-- changes a row only where the offset still is the one that it started from, so that of two members which both
-- believe they own a partition one changes nothing.
CREATE TABLE lifestream.kafka_offsets (
    consumer_group   text        NOT NULL,
    topic            text        NOT NULL,
    partition        integer     NOT NULL,
    "offset"         bigint      NOT NULL CHECK ("offset" >= 0),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    topic_id         text,
    last_received_at timestamptz,
    rate             real        NOT NULL DEFAULT 0,
    rate_offset      bigint      NOT NULL DEFAULT 0,
    rate_since       timestamptz NOT NULL DEFAULT now(),
    error            text,
    PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 10);
COMMENT ON TABLE lifestream.kafka_offsets IS 'Next offset to apply, by consumer group, topic and partition';
COMMENT ON COLUMN lifestream.kafka_offsets."offset" IS 'of the next record to apply';
COMMENT ON COLUMN lifestream.kafka_offsets.topic_id IS 'Kafka''s id of the topic that the offset belongs to: another id is another topic';
COMMENT ON COLUMN lifestream.kafka_offsets.last_received_at IS 'received_at of the newest event taken in';
COMMENT ON COLUMN lifestream.kafka_offsets.rate IS 'records a second, over the last 5 s or more of work';
COMMENT ON COLUMN lifestream.kafka_offsets.rate_offset IS 'where the measurement of the rate began';
COMMENT ON COLUMN lifestream.kafka_offsets.rate_since IS 'when the measurement of the rate began';
COMMENT ON COLUMN lifestream.kafka_offsets.error IS 'what holds this partition up, or what it had to pass over; by name and with what to do; lifestream rebuild all, or reset, clears it';
