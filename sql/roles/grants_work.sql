-- The router and the agents read routes and ask guards; what waits, how far they have come and whom they go easy on is theirs to write.
GRANT SELECT ON lifestream.routes, lifestream.dropped_routes, lifestream.pending_retries, lifestream.circuits, lifestream.consumer_progress
    TO lifestream_reader, lifestream_agent, lifestream_admin;
GRANT INSERT, UPDATE, DELETE ON lifestream.pending_retries, lifestream.circuits, lifestream.consumer_progress
    TO lifestream_agent, lifestream_admin;
GRANT EXECUTE ON FUNCTION lifestream.needs_fetch, lifestream.needs_enrichment, lifestream.needs_publish, lifestream.needs_republish,
    lifestream.wants_webhook, lifestream.publish_payload
    TO lifestream_agent, lifestream_admin;

-- Who reads tags may know which names they go by.
GRANT EXECUTE ON FUNCTION lifestream.resolve_tag TO lifestream_reader;

-- A derived id tells nothing: whoever emits, or looks for what was emitted, may compute it.
GRANT EXECUTE ON FUNCTION lifestream.derived_id TO lifestream_emitter, lifestream_reader, lifestream_agent, lifestream_admin;

-- Routes are an administrator's to change: the router runs their guards.
GRANT INSERT, UPDATE, DELETE ON lifestream.routes, lifestream.dropped_routes TO lifestream_admin;
GRANT EXECUTE ON FUNCTION lifestream.route_function, lifestream.add_route, lifestream.drop_route TO lifestream_admin;

-- Deciding about a dead letter is emitting an event, with what the letter says: for whoever may do both.
GRANT EXECUTE ON FUNCTION lifestream.undecided_dead_letter, lifestream.decide_dead_letter, lifestream.retry_dead_letter,
    lifestream.discard_dead_letter TO lifestream_agent, lifestream_admin;
