-- What archive_batch does; called by anybody else, the append-only guard refuses it.
--
-- May go: what the bridge has left behind (below its watermark no number is looked for any more), what is materialized, where
-- anybody materializes at all, and what is not parked. Buckets are those of pg_lifestream/src/archive.rs: an id that somebody is
-- emitting just now stays, so that no repeat of it misses its event in both tables.
CREATE FUNCTION lifestream.move_to_archive(after bigint, last bigint, before timestamptz) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done bigint;
    groups text[] := ARRAY(SELECT DISTINCT o.consumer_group FROM lifestream.kafka_offsets o);
    -- The end of that second: the file's times are cut off.
    installed timestamptz := (SELECT greatest(f.modification, f.change) + interval '1 s' FROM pg_config c, pg_stat_file(c.setting || '/pg_lifestream.so') f WHERE c.name = 'PKGLIBDIR');
    early record;
    free integer[];
    moved bigint;
BEGIN
    IF EXISTS (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = 'lifestream.events'::regclass AND a.attnum > 0 AND NOT a.attisdropped
               EXCEPT SELECT a.attname FROM pg_attribute a WHERE a.attrelid = 'lifestream.events_archive'::regclass AND a.attnum > 0 AND NOT a.attisdropped) THEN
        RAISE EXCEPTION 'lifestream.events has columns that lifestream.events_archive lacks'
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Add them there as well: ALTER TABLE lifestream.events_archive ADD COLUMN ...';
    END IF;
    -- A session of before may have the library of before, that of 0.1.0, which does not look for ids in the archive.
    SELECT a.pid, a.application_name INTO early FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.backend_start < installed ORDER BY a.backend_start LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'session % (%) began before the library of pg_lifestream was installed: it may not know of the archive', early.pid, early.application_name
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('Let it end, or: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_start < %L AND datname = current_database();', installed);
    END IF;
    -- Held until the move has committed: a reset, which deletes the row, waits for it, and what comes after the reset finds no row.
    SELECT p.watermark INTO done FROM lifestream.bridge_progress p WHERE p.database_identity = lifestream.database_identity() FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    free := ARRAY(SELECT bucket FROM generate_series(0, 63) bucket WHERE pg_try_advisory_xact_lock(x'61726368'::integer, bucket));
    -- A statement of its own: it sees what was committed before the buckets were taken.
    WITH leaving AS (
        DELETE FROM lifestream.events e
        WHERE e.seq > after AND e.seq <= least(last, done) AND e.received_at < before AND e.published_to_kafka
          AND get_byte(uuid_send(e.id), 15) % 64 = ANY (free)
          AND (groups = '{}' OR EXISTS (SELECT FROM lifestream.event_ingest_dedupe d WHERE d.consumer_group = ANY (groups) AND d.event_id = e.id))
          AND NOT EXISTS (SELECT FROM lifestream.parked p WHERE p.event_id = e.id)
        RETURNING e.*
    ), kept AS (
        INSERT INTO lifestream.events_archive SELECT * FROM leaving RETURNING 1
    )
    SELECT count(*) INTO moved FROM kept;
    RETURN moved;
END $$;
COMMENT ON FUNCTION lifestream.move_to_archive(bigint, bigint, timestamptz) IS 'The body of archive_batch';
