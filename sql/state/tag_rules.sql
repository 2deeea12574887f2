-- What people said about tags: merged into another (an alias from then on, for uses of before and after), or dropped.
-- Every such fact is kept, so that any order of facts ends the same.
CREATE TABLE lifestream.tag_rules (
    tenant_id text   NOT NULL,
    tag       text   NOT NULL,
    into_tag  text,
    seq       bigint NOT NULL,
    PRIMARY KEY (tenant_id, tag, seq)
);
COMMENT ON TABLE lifestream.tag_rules IS 'Tags that were merged or dropped, from tag.merged and tag.dropped';
COMMENT ON COLUMN lifestream.tag_rules.into_tag IS 'the tag that it is an alias of; null: dropped, with all its uses before seq';
