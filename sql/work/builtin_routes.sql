-- A saved link's way: fetched, enriched, published; out of the feed when it is removed, and in again when it comes back.
INSERT INTO lifestream.routes (event_type, work_type, guard, builtin) VALUES
    ('link.added', 'fetch_link', 'lifestream.needs_fetch', true),
    ('content.fetched', 'enrich_link', 'lifestream.needs_enrichment', true),
    ('enrichment.completed', 'publish_link', 'lifestream.needs_publish', true),
    ('link.added', 'publish_link', 'lifestream.needs_republish', true),
    ('link.removed', 'publish_link', NULL, true);
