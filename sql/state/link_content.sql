-- What fetching a link gave. A later failure is noted and keeps the text that an earlier fetch had read.
CREATE TABLE lifestream.link_content (
    subject_id   text        PRIMARY KEY,
    tenant_id    text        NOT NULL,
    text_content text,
    metadata     jsonb       NOT NULL,
    fetch_error  text,
    fetched_at   timestamptz,
    checked_at   timestamptz NOT NULL,
    text_seq     bigint,
    seq          bigint      NOT NULL
);
COMMENT ON TABLE lifestream.link_content IS 'Fetched content of links';
COMMENT ON COLUMN lifestream.link_content.text_content IS 'article text of the newest fetch that succeeded';
COMMENT ON COLUMN lifestream.link_content.metadata IS 'what came with that text: title, byline, language and the like';
COMMENT ON COLUMN lifestream.link_content.fetch_error IS 'why the newest fetch failed for good; null where it succeeded';
COMMENT ON COLUMN lifestream.link_content.fetched_at IS 'occurred_at of the newest fetch that succeeded';
COMMENT ON COLUMN lifestream.link_content.checked_at IS 'occurred_at of the newest fetch';
COMMENT ON COLUMN lifestream.link_content.text_seq IS 'seq of the newest fetch that succeeded';
COMMENT ON COLUMN lifestream.link_content.seq IS 'seq of the newest fetch';
