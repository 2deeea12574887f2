-- How far the bridge has come. One row, or none before its first start.
--
-- The flags in lifestream.events are the record of what is published; this row only bounds where to look
-- again after a crash. It is written in the very statement that flips flags, guarded by `epoch`.
CREATE TABLE lifestream.bridge_progress (
    only_row          boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch             bigint      NOT NULL,  -- rises with every start procedure; an older one may change nothing
    holder            text        NOT NULL,  -- host and process of the bridge that holds the lease, for people
    holder_pid        integer     NOT NULL,  -- its backend, which a successor ends
    lease_until       timestamptz NOT NULL,  -- by this server's clock
    database_identity text        NOT NULL,  -- lifestream.database_identity() when the epoch began
    timeline          integer     NOT NULL,  -- WAL timeline when the epoch began
    watermark         bigint      NOT NULL,  -- every seq up to here is published, parked or was rolled back
    high              bigint      NOT NULL,  -- the largest seq that this or an earlier epoch saw
    topic             text        NOT NULL,  -- events.raw, with its prefix
    topic_id          text        NOT NULL,  -- Kafka's id of that topic: another id is another topic
    offsets           bigint[]    NOT NULL,  -- for partition i, element i+1: all its records from there on may lack their flag
    closed            boolean     NOT NULL,  -- left with nothing in flight: nothing of ours lies past the offsets
    saved_at          timestamptz NOT NULL
) WITH (fillfactor = 10);
COMMENT ON TABLE lifestream.bridge_progress IS 'How far the bridge has published; one row';
