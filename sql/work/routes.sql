-- Which events become work for whom. Written by add_route and drop_route; the router follows.
CREATE TABLE lifestream.routes (
    event_type   text        NOT NULL CHECK (event_type NOT IN ('', 'work.failed', 'work.retry_requested')),
    work_type    text        NOT NULL CHECK (work_type ~ '^[a-z0-9._-]{1,200}$' AND work_type <> 'dead_letter'),
    guard        text,
    payload_map  text,
    max_attempts integer     NOT NULL DEFAULT 3 CHECK (max_attempts BETWEEN 1 AND 1000),
    backoff      interval    CHECK (backoff > interval '0'),
    builtin      boolean     NOT NULL DEFAULT false,
    added_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_type, work_type)
);
COMMENT ON TABLE lifestream.routes IS 'Routes: the router makes work of an event''s type for the agents of a work type';
COMMENT ON COLUMN lifestream.routes.work_type IS 'names the topic as well: work.<work_type>';
COMMENT ON COLUMN lifestream.routes.guard IS 'schema-qualified and quoted name of a function f(lifestream.events) returns boolean: does the work still need doing? null: always';
COMMENT ON COLUMN lifestream.routes.payload_map IS 'name of a function f(lifestream.events) returns jsonb, which gives the work''s payload; null: the event''s own';
COMMENT ON COLUMN lifestream.routes.max_attempts IS 'after so many failed attempts the work is a dead letter';
COMMENT ON COLUMN lifestream.routes.backoff IS 'wait before the second attempt; null: LIFESTREAM_RETRY_BASE';
