-- What enrichment made of a link: the newest answer about its newest text.
CREATE TABLE lifestream.link_metadata (
    subject_id  text        PRIMARY KEY,
    tenant_id   text        NOT NULL,
    summary     text,
    topic       text,
    model       text,
    text_digest text,
    enriched_at timestamptz NOT NULL,
    seq         bigint      NOT NULL,
    text_seq    bigint      NOT NULL DEFAULT 0
) WITH (fillfactor = 90);
COMMENT ON TABLE lifestream.link_metadata IS 'Summary and topic of links, from the newest enrichment of the newest text; its tags are in tags (origin enricher)';
COMMENT ON COLUMN lifestream.link_metadata.model IS 'what made it: the name of a language model, or of the local method';
COMMENT ON COLUMN lifestream.link_metadata.text_digest IS 'sha256 (hex) of the text that it was made of: the same text need not be enriched again';
COMMENT ON COLUMN lifestream.link_metadata.enriched_at IS 'occurred_at of the newest enrichment';
COMMENT ON COLUMN lifestream.link_metadata.text_seq IS 'seq of the content.fetched whose text it was made of: an enrichment of an older one changes nothing';
