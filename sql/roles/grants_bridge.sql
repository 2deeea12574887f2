-- The bridge reads events, sets the flag (no other column) and keeps its progress.
GRANT SELECT, UPDATE (published_to_kafka) ON lifestream.events TO lifestream_bridge;
GRANT SELECT ON SEQUENCE lifestream.events_seq_seq TO lifestream_bridge;
GRANT SELECT ON lifestream.unpublished_events TO lifestream_bridge;
GRANT SELECT, INSERT, UPDATE, DELETE ON lifestream.bridge_progress TO lifestream_bridge;
GRANT EXECUTE ON FUNCTION lifestream.database_identity() TO lifestream_bridge, lifestream_agent, lifestream_admin;
