-- Hosts and APIs that an agent goes easy on after failures in a row; a row only while that lasts.
CREATE TABLE lifestream.circuits (
    consumer_group text        NOT NULL,
    lane           text        NOT NULL,
    state          text        NOT NULL CHECK (state IN ('slow', 'paused', 'probing')),
    failures       integer     NOT NULL,
    until          timestamptz,
    last_error     text,
    changed_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer_group, lane)
);
COMMENT ON TABLE lifestream.circuits IS 'Circuit breakers that are not closed, by consumer group and lane (host or API)';
COMMENT ON COLUMN lifestream.circuits.state IS 'slow: one at a time, and seldom; paused: nothing until then; probing: one attempt decides';
COMMENT ON COLUMN lifestream.circuits.failures IS 'in a row';
COMMENT ON COLUMN lifestream.circuits.until IS 'paused: when it is tried again';
