-- Of what is new, and of nothing else: what an administrator has granted or revoked since stays as it is.
REVOKE EXECUTE ON ROUTINE lifestream.move_to_archive, lifestream.move_from_archive, lifestream.archive_batch, lifestream.unarchive_batch,
    lifestream.archive, lifestream.wait_for, lifestream.verify, lifestream.accept_finding FROM PUBLIC;

GRANT SELECT ON lifestream.events_archive, lifestream.all_events TO lifestream_agent, lifestream_admin, lifestream_bridge;
GRANT EXECUTE ON FUNCTION lifestream.wait_for TO lifestream_emitter, lifestream_reader, lifestream_agent, lifestream_admin;
GRANT EXECUTE ON FUNCTION lifestream.verify TO lifestream_agent, lifestream_admin;
GRANT EXECUTE ON PROCEDURE lifestream.archive TO lifestream_admin;
GRANT EXECUTE ON FUNCTION lifestream.archive_batch TO lifestream_admin;
GRANT EXECUTE ON FUNCTION lifestream.unarchive_batch TO lifestream_admin, lifestream_bridge;

GRANT SELECT ON lifestream.bridge_progress TO lifestream_agent;
GRANT USAGE ON SEQUENCE lifestream.events_seq_seq TO lifestream_bridge;
GRANT SELECT, DELETE ON lifestream.kafka_offsets, lifestream.consumer_progress TO lifestream_bridge;
GRANT SELECT, INSERT, UPDATE, DELETE ON lifestream.findings TO lifestream_bridge, lifestream_admin;
GRANT SELECT ON lifestream.findings TO lifestream_reader, lifestream_agent;
GRANT EXECUTE ON FUNCTION lifestream.accept_finding TO lifestream_admin;
