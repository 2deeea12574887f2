-- An emitter may emit, by function or by INSERT, and nothing else: it cannot read what others emitted.
GRANT EXECUTE ON FUNCTION lifestream.emit_event, lifestream.emit_events, lifestream.link_subject_id, lifestream.idempotency_fingerprint
    TO lifestream_emitter, lifestream_agent, lifestream_admin;
GRANT INSERT (id, occurred_at, received_at, source, subject, subject_id, event_type, payload, schema_version,
              correlation_id, causation_id, tenant_id, headers)
    ON lifestream.events TO lifestream_emitter, lifestream_agent, lifestream_admin;

-- Whoever emits, or reads state, may wait for an event; what stands where is for those to ask who may read events.
GRANT EXECUTE ON FUNCTION lifestream.wait_for TO lifestream_emitter, lifestream_reader, lifestream_agent, lifestream_admin;
GRANT EXECUTE ON FUNCTION lifestream.verify TO lifestream_agent, lifestream_admin;

-- Events leave their table for the archive, or come back, on an administrator's word only.
GRANT EXECUTE ON PROCEDURE lifestream.archive TO lifestream_admin;
GRANT EXECUTE ON FUNCTION lifestream.archive_batch, lifestream.unarchive_batch TO lifestream_admin;

-- A link's subject_id is how a reader finds its state.
GRANT EXECUTE ON FUNCTION lifestream.link_subject_id TO lifestream_reader;

-- Router, materializer and runners read events (a rebuild, a guard's argument).
GRANT SELECT ON lifestream.events, lifestream.events_archive, lifestream.all_events, lifestream.unpublished_events TO lifestream_agent, lifestream_admin;
