-- Hosts and APIs that an agent goes easy on after failures in a row; a row only while that lasts, and while somebody may
-- still know of it: whoever wrote it may be gone.
CREATE TABLE lifestream.circuits (
    consumer_group text        NOT NULL,
    lane           text        NOT NULL,
    state          text        NOT NULL CHECK (state IN ('slow', 'paused', 'probing')),
    failures       integer     NOT NULL,
    until          timestamptz,
    last_error     text,
    changed_at     timestamptz NOT NULL DEFAULT now(),
    holds_until    timestamptz NOT NULL DEFAULT now() + interval '1 hour',
    PRIMARY KEY (consumer_group, lane)
);
COMMENT ON TABLE lifestream.circuits IS 'Circuit breakers that are not closed, by consumer group and lane (host or API)';
COMMENT ON COLUMN lifestream.circuits.state IS 'slow: one at a time, and seldom; paused: nothing until then; probing: one attempt decides';
COMMENT ON COLUMN lifestream.circuits.failures IS 'in a row';
COMMENT ON COLUMN lifestream.circuits.until IS 'paused: when it is tried again';
COMMENT ON COLUMN lifestream.circuits.holds_until IS 'after that it says nothing any more: an hour without news of the lane';
