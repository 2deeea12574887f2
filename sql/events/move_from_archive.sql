-- What unarchive_batch does; called by anybody else, the append-only guard refuses it. The numbers come back as a restored
-- dump's do: only where no bridge works on this table.
CREATE FUNCTION lifestream.move_from_archive(batch integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    moved bigint;
BEGIN
    WITH leaving AS (
        DELETE FROM lifestream.events_archive a
        WHERE a.seq IN (SELECT s.seq FROM lifestream.events_archive s ORDER BY s.seq LIMIT batch)
        RETURNING a.id, a.seq, a.occurred_at, a.received_at, a.source, a.subject, a.subject_id, a.event_type, a.payload, a.schema_version,
            a.correlation_id, a.causation_id, a.tenant_id, a.headers
    ), back AS (
        INSERT INTO lifestream.events (id, seq, occurred_at, received_at, source, subject, subject_id, event_type, payload, schema_version,
            correlation_id, causation_id, tenant_id, headers)
        OVERRIDING SYSTEM VALUE SELECT * FROM leaving RETURNING 1
    )
    SELECT count(*) INTO moved FROM back;
    RETURN moved;
END $$;
COMMENT ON FUNCTION lifestream.move_from_archive(integer) IS 'The body of unarchive_batch';
