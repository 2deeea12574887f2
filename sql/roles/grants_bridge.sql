-- The bridge reads events, sets the flag (no other column) and keeps its progress.
GRANT SELECT, UPDATE (published_to_kafka) ON lifestream.events TO lifestream_bridge;
GRANT SELECT ON SEQUENCE lifestream.events_seq_seq TO lifestream_bridge;
GRANT SELECT ON lifestream.unpublished_events TO lifestream_bridge;
GRANT SELECT, INSERT, UPDATE, DELETE ON lifestream.bridge_progress TO lifestream_bridge;
-- Whether this database is a copy whose bridge has not begun: then nothing is consumed for it.
GRANT SELECT ON lifestream.bridge_progress TO lifestream_agent;
GRANT SELECT ON lifestream.all_events TO lifestream_bridge;
-- For a Kafka that has none of them, archived events come back.
GRANT SELECT ON lifestream.events_archive TO lifestream_bridge;
GRANT EXECUTE ON FUNCTION lifestream.unarchive_batch TO lifestream_bridge;
-- After a promotion it draws the numbers that lost events had; it can set none back.
GRANT USAGE ON SEQUENCE lifestream.events_seq_seq TO lifestream_bridge;
-- What it has found is for everybody to see who may see how the pipeline stands.
GRANT SELECT, INSERT, UPDATE, DELETE ON lifestream.findings TO lifestream_bridge, lifestream_admin;
GRANT SELECT ON lifestream.findings TO lifestream_reader, lifestream_agent;
GRANT EXECUTE ON FUNCTION lifestream.accept_finding TO lifestream_admin;
-- How far consumers are: it waits for them where keys move to other partitions. Of another Kafka that is forgotten.
GRANT SELECT, DELETE ON lifestream.kafka_offsets, lifestream.consumer_progress TO lifestream_bridge;
GRANT EXECUTE ON FUNCTION lifestream.database_identity() TO lifestream_bridge, lifestream_agent, lifestream_admin;
