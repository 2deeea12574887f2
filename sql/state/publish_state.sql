-- What is ready to be published, and what has been. `enriched_seq > published_seq` says that newer metadata waits.
CREATE TABLE lifestream.publish_state (
    subject_id    text        PRIMARY KEY,
    tenant_id     text        NOT NULL,
    status        text        NOT NULL,
    url           text,
    ready_at      timestamptz,
    published_at  timestamptz,
    retracted_at  timestamptz,
    enriched_seq  bigint,
    published_seq bigint,
    retracted_seq bigint
) WITH (fillfactor = 80);
COMMENT ON TABLE lifestream.publish_state IS 'Publication of links';
COMMENT ON COLUMN lifestream.publish_state.status IS 'ready (enriched, not yet published), published, or retracted (published no more)';
COMMENT ON COLUMN lifestream.publish_state.url IS 'where the newest publication put it; null once it is retracted';
COMMENT ON COLUMN lifestream.publish_state.ready_at IS 'occurred_at of the newest enrichment';
COMMENT ON COLUMN lifestream.publish_state.published_at IS 'occurred_at of the newest publication';
COMMENT ON COLUMN lifestream.publish_state.retracted_at IS 'occurred_at of the newest retraction';
