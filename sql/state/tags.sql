-- Tags of subjects, after merging and dropping. A tag given by a person and found by enrichment as well is two rows: each origin owns its own.
-- No CHECK and no generated column: PostgreSQL parses each anew for every statement, a fifth of a projection's time.
CREATE TABLE lifestream.tags (
    subject_id text   NOT NULL,
    tag        text   NOT NULL,
    origin     text   NOT NULL,
    tenant_id  text   NOT NULL,
    seq        bigint NOT NULL,
    last_seq   bigint NOT NULL,
    PRIMARY KEY (subject_id, tag, origin)
);
CREATE INDEX tags_by_tag ON lifestream.tags (tag);
COMMENT ON TABLE lifestream.tags IS 'Tags of subjects; SELECT DISTINCT subject_id, tag where the origin does not matter';
COMMENT ON COLUMN lifestream.tags.origin IS 'user: given by a person, never removed by enrichment; enricher: replaced by each newer enrichment';
COMMENT ON COLUMN lifestream.tags.seq IS 'user: the first event that gave it; enricher: the enrichment that it comes from';
COMMENT ON COLUMN lifestream.tags.last_seq IS 'the last event that gave it: what was dropped before that is there again';
