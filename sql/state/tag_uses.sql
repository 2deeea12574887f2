-- Tags as facts gave them, before merging and dropping: what lifestream.tags is settled from, whenever a rule comes. Only of
-- tenants that have rules; for all others lifestream.tags is the very same.
CREATE TABLE lifestream.tag_uses (
    subject_id text   NOT NULL,
    tag        text   NOT NULL,
    origin     text   NOT NULL,
    tenant_id  text   NOT NULL,
    seq        bigint NOT NULL,
    last_seq   bigint NOT NULL,
    PRIMARY KEY (subject_id, tag, origin)
);
CREATE INDEX tag_uses_by_tag ON lifestream.tag_uses (tag);
COMMENT ON TABLE lifestream.tag_uses IS 'Tags as given, of tenants that merged or dropped any; lifestream.tags is what came of them. Columns as there';
