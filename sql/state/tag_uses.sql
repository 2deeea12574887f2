-- Tags as facts gave them, before merging and dropping: what lifestream.tags is settled from, whenever a rule comes.
CREATE TABLE lifestream.tag_uses (
    subject_id text   NOT NULL,
    tag        text   NOT NULL,
    origin     text   NOT NULL,
    tenant_id  text   NOT NULL,
    first_seq  bigint NOT NULL,
    last_seq   bigint NOT NULL,
    PRIMARY KEY (subject_id, tag, origin)
);
CREATE INDEX tag_uses_by_tag ON lifestream.tag_uses (tag);
COMMENT ON TABLE lifestream.tag_uses IS 'Tags as given; lifestream.tags is what merging and dropping make of them';
COMMENT ON COLUMN lifestream.tag_uses.origin IS 'as in lifestream.tags';
COMMENT ON COLUMN lifestream.tag_uses.first_seq IS 'user: the first event that gave it; enricher: the enrichment that it comes from';
COMMENT ON COLUMN lifestream.tag_uses.last_seq IS 'the last event that gave it: what was dropped before that is there again';
