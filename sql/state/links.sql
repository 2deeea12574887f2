-- Saved links. `status` is derived (lifestream.link_status): the furthest stage reached, or `removed` while the last
-- removal is newer than the last addition.
-- No CHECK and no generated column: PostgreSQL parses each anew for every statement, a fifth of a projection's time.
CREATE TABLE lifestream.links (
    subject_id  text        PRIMARY KEY,
    tenant_id   text        NOT NULL,
    url         text,
    title       text,
    note        text,
    stage       smallint    NOT NULL,
    status      text        NOT NULL,
    added_at    timestamptz,
    removed_at  timestamptz,
    first_seq   bigint,
    added_seq   bigint,
    removed_seq bigint
) WITH (fillfactor = 80);
COMMENT ON TABLE lifestream.links IS 'Saved links, with how far each has come';
COMMENT ON COLUMN lifestream.links.url IS 'as given when first added; null while only the removal is known';
COMMENT ON COLUMN lifestream.links.stage IS 'furthest stage reached, never lowered: 1 added, 2 unfetchable, 3 fetched, 4 enriched, 5 published';
COMMENT ON COLUMN lifestream.links.status IS 'added, unfetchable, fetched, enriched, published; or removed';
COMMENT ON COLUMN lifestream.links.added_at IS 'occurred_at of the first link.added';
COMMENT ON COLUMN lifestream.links.removed_at IS 'occurred_at of the last link.removed; kept when the link is added again';
COMMENT ON COLUMN lifestream.links.first_seq IS 'seq of the first link.added';
COMMENT ON COLUMN lifestream.links.added_seq IS 'seq of the last link.added';
COMMENT ON COLUMN lifestream.links.removed_seq IS 'seq of the last link.removed';
