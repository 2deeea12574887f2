-- The tags that links have, for those who offer them: the catalog in Kafka holds the same.
CREATE VIEW lifestream.tag_counts AS
SELECT t.tenant_id, t.tag, t.tag AS label, count(DISTINCT t.subject_id) AS links, bool_or(t.origin = 'user') AS given
FROM lifestream.tags t JOIN lifestream.links l USING (subject_id)
WHERE l.status <> 'removed'
GROUP BY t.tenant_id, t.tag;
COMMENT ON VIEW lifestream.tag_counts IS 'Tags of links that are not removed';
COMMENT ON COLUMN lifestream.tag_counts.label IS 'the tag as it is to be shown';
COMMENT ON COLUMN lifestream.tag_counts.links IS 'how many links have it';
COMMENT ON COLUMN lifestream.tag_counts.given IS 'whether a person gave it to one of them';
