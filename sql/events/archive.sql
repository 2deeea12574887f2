-- Moves events out of lifestream.events that are published and materialized and were received before a time, a batch a
-- transaction: CALL lifestream.archive(now() - interval '90 days'). As often as one likes; it can be stopped at any time.
CREATE PROCEDURE lifestream.archive(before timestamptz, batch integer DEFAULT 10000, INOUT archived bigint DEFAULT 0)
LANGUAGE plpgsql AS $$
DECLARE
    after bigint := 0;
    stretch record;
BEGIN
    IF before IS NULL OR batch IS NULL OR batch NOT BETWEEN 1 AND 1000000 THEN
        RAISE EXCEPTION 'archive needs a time and a batch of 1 to 1000000 events: %', format('before %L, batch %L', before, batch)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    archived := 0;
    LOOP
        SELECT max(w.seq) AS last, bool_or(w.received_at < before) AS any_old INTO stretch
        FROM (SELECT e.seq, e.received_at FROM lifestream.events e WHERE e.seq > after ORDER BY e.seq LIMIT batch) w;
        -- Events are received about in the order of seq: behind a whole batch of younger ones none is looked for.
        EXIT WHEN NOT coalesce(stretch.any_old, false);
        BEGIN
            archived := archived + lifestream.archive_batch(after, stretch.last, before);
        EXCEPTION WHEN trigger_protocol_violated THEN
            RAISE EXCEPTION 'PostgreSQL still has the library of before the update of pg_lifestream, which knows of no archive'
                USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Restart PostgreSQL: the library is in shared_preload_libraries.';
        END;
        after := stretch.last;
        COMMIT;
    END LOOP;
END $$;
COMMENT ON PROCEDURE lifestream.archive(timestamptz, integer, bigint) IS 'Moves published and materialized events older than that to lifestream.events_archive, in batches';
