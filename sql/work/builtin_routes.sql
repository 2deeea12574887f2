-- A saved link's way: fetched, enriched, published; out of the feed when it is removed, and in again when it comes back.
-- What was published is told to the webhook, for most of a day; what became of tags is shown on the pages that they stand on.
INSERT INTO lifestream.routes (event_type, work_type, guard, payload_map, max_attempts, builtin) VALUES
    ('link.added', 'fetch_link', 'lifestream.needs_fetch', NULL, 3, true),
    ('content.fetched', 'enrich_link', 'lifestream.needs_enrichment', NULL, 3, true),
    ('enrichment.completed', 'publish_link', 'lifestream.needs_publish', 'lifestream.publish_payload', 3, true),
    ('link.added', 'publish_link', 'lifestream.needs_republish', 'lifestream.publish_payload', 3, true),
    ('link.removed', 'publish_link', NULL, 'lifestream.publish_payload', 3, true),
    ('publish.completed', 'publish_link', 'lifestream.wants_webhook', 'lifestream.publish_payload', 20, true),
    ('publish.retracted', 'publish_link', 'lifestream.wants_webhook', 'lifestream.publish_payload', 20, true),
    ('tag.merged', 'publish_link', NULL, 'lifestream.publish_payload', 3, true),
    ('tag.dropped', 'publish_link', NULL, 'lifestream.publish_payload', 3, true);
